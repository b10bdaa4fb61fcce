# SPDX-License-Identifier: Apache-2.0
"""Who the agent is: the credential that enrolment brought, kept in a file that only its user reads."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

from stratoplane.errors import InvalidSpecError
from stratoplane.settings import Secret
from stratoplane.wire import from_json, to_json

_OTHERS: Final = 0o077


class IdentityError(Exception):
    """The credential cannot be used; the message says what the operator does about it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """What enrolment left: who the agent is, where, and the secret that proves it.

    Attributes:
        control_plane: URL at which the agent enrolled.
        secret: the bearer credential.
    """

    agent_id: UUID
    cluster_id: UUID
    cluster_name: str
    installation_id: UUID
    control_plane: str
    secret: Secret


class Identity(Protocol):
    """How requests prove who sends them."""

    def headers(self, method: str, path: str, body: bytes) -> Mapping[str, str]:
        """Return the headers that prove it for this one request."""

    def renew(self) -> bool:
        """Called when the control plane refused the proof; tell whether there is another one to try."""


class Anonymous:
    """No identity: for enrolment, which brings one."""

    def headers(self, method: str, path: str, body: bytes) -> Mapping[str, str]:  # noqa: ARG002
        return {}

    def renew(self) -> bool:
        return False


class BearerIdentity:
    """Sends the secret of the credential file; after a refusal it looks whether the operator enrolled anew."""

    def __init__(self, state: Path) -> None:
        """Read the credential of the state folder; raises IdentityError like :func:`read_credential`."""
        self._state: Final = state
        self._secret = read_credential(state).secret

    def headers(self, method: str, path: str, body: bytes) -> Mapping[str, str]:  # noqa: ARG002
        return {"Authorization": f"Bearer {self._secret}"}

    def renew(self) -> bool:
        before = self._secret
        try:
            self._secret = read_credential(self._state).secret
        except IdentityError:
            return False
        return self._secret != before


def credential_file(state: Path) -> Path:
    """Return where the credential of a state folder is."""
    return state / "credential.json"


def read_credential(state: Path) -> Credential:
    """Return the credential of a state folder.

    Raises:
        IdentityError: there is none, others may read it, or it is damaged.
    """
    path = credential_file(state)
    try:
        others = path.stat().st_mode & _OTHERS
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise IdentityError(f"this agent is not enrolled ({path} is missing): run `stratoplane-agent enrol`") from None
    except (OSError, UnicodeDecodeError) as error:
        raise IdentityError(f"{path} cannot be read: {error}") from error
    if others:
        raise IdentityError(f"{path} can be read by others: run `chmod 600 {path}`, or enrol anew if it may be known")
    try:
        return from_json(Credential, json.loads(text))
    except (ValueError, InvalidSpecError) as error:
        raise IdentityError(f"{path} is damaged ({error}): enrol anew") from error


def write_credential(state: Path, credential: Credential) -> None:
    """Keep a credential, durably and whole or not at all, in a file of mode 0600. Raises OSError."""
    path = credential_file(state)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(to_json(credential), file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(state, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
