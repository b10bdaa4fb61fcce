# SPDX-License-Identifier: Apache-2.0
"""Who the agent is: a key that it generated, kept in a file that only its user can read, and used to sign requests."""

import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

from stratoplane.errors import InvalidSpecError
from stratoplane.join_tokens import rotation_proof
from stratoplane.messages import KeyRotation
from stratoplane.settings import Secret
from stratoplane.signatures import Headers, Message, check_answer, sign_request
from stratoplane.wire import from_json, to_json
from stratoplane_agent.keys import PrivateKey, PublicKey

_OTHERS: Final = 0o077
_STEADY_SECONDS: Final = 2.0
_NONE: Final = Secret("")


class IdentityError(Exception):
    """The credential cannot be used; the message says what the operator can do about it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """The result of enrolment: who the agent is, where it enrolled, and the key that proves it.

    Attributes:
        control_plane: URL at which the agent enrolled.
        server_key: the control plane's public key, base64; its answers are signed by it.
        key: the agent's private key, base64.
        generation: number of this key; the first is 1.
        next_key: a key that was offered to the control plane and may have been accepted; empty for none.
    """

    agent_id: UUID
    cluster_id: UUID
    cluster_name: str
    installation_id: UUID
    control_plane: str
    server_key: str
    key: Secret
    generation: int = 1
    next_key: Secret = _NONE

    @property
    def key_id(self) -> str:
        """The key's id in requests, which the process that signs is added to."""
        return f"{self.agent_id}:{self.generation}"


class Identity(Protocol):
    """Proves who sends a request, and verifies who answered it."""

    def headers(self, method: str, path: str, body: bytes) -> Mapping[str, str]:
        """Return the headers that prove the sender of this one request."""

    def heard(self, headers: Headers) -> None:
        """Read the control plane's time from the headers of any answer."""

    def check(self, status: int, body: bytes, headers: Headers, sent: Mapping[str, str]) -> None:
        """Raise BadSignatureError unless the control plane signed this answer to a request with headers ``sent``."""

    def renew(self) -> bool:
        """Called when the control plane refused the proof; tell whether another one can be tried."""


class Anonymous:
    """No identity: for the challenge that precedes enrolment."""

    def headers(self, method: str, path: str, body: bytes) -> Mapping[str, str]:  # noqa: ARG002
        return {}

    def heard(self, headers: Headers) -> None:
        """Ignore the headers."""

    def check(self, status: int, body: bytes, headers: Headers, sent: Mapping[str, str]) -> None:
        """Accept the answer: the caller verifies the proof in its body."""

    def renew(self) -> bool:
        return False


class ServerClock:
    """The control plane's time, taken from its answers; this host's clock may be wrong by hours."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Start with the assumption that ``clock`` (seconds since 1970) is right."""
        self._clock: Final = clock
        self.offset = 0.0

    def now(self) -> int:
        """Return the control plane's time in whole seconds."""
        return int(self._clock() + self.offset)

    def heard(self, headers: Headers) -> None:
        """Correct the offset by the ``Date`` of an answer; a value that cannot be read changes nothing."""
        try:
            offset = parsedate_to_datetime(headers.get("Date", "")).timestamp() - self._clock()
        except (ValueError, TypeError):
            return
        if abs(offset - self.offset) > _STEADY_SECONDS:
            self.offset = offset


class EnrolmentIdentity:
    """A key that the control plane may not know yet; the control plane's own key has been verified."""

    def __init__(self, key: Secret, key_id: str, server_key: str, clock: ServerClock) -> None:
        """Sign with ``key`` under the id ``key_id``; accept answers that ``server_key`` signed."""
        self._key: Final = PrivateKey(key)
        self._key_id: Final = key_id
        self._server_key: Final = PublicKey(server_key)
        self._clock: Final = clock

    def headers(self, method: str, path: str, body: bytes) -> Mapping[str, str]:
        message = Message(method=method, path=path)
        return sign_request(message, body, key_id=self._key_id, created=self._clock.now(), sign=self._key.sign)

    def heard(self, headers: Headers) -> None:
        self._clock.heard(headers)

    def check(self, status: int, body: bytes, headers: Headers, sent: Mapping[str, str]) -> None:
        check_answer(status, body, headers, sent, self._server_key.verifies)

    def renew(self) -> bool:
        return False


class KeyIdentity:
    """Signs with the key of the credential file and renews that key; threads share it.

    After a refusal it checks whether the clock was wrong, or the operator enrolled the agent again.
    """

    def __init__(self, state: Path, clock: ServerClock | None = None, *, process: str = "") -> None:
        """Read the credential of the state folder; raises IdentityError like :func:`read_credential`.

        Args:
            state: the folder.
            clock: the control plane's time.
            process: tells this process from others with the same key, 16 hexadecimal digits, random by default; the
                control plane notices a copied state folder by it.
        """
        self._state: Final = state
        self._clock: Final = clock or ServerClock()
        self._lock: Final = threading.Lock()
        self._process: Final = process or secrets.token_hex(8)
        self._signed_at = self._clock.offset
        self._take(read_credential(state))

    def _take(self, credential: Credential) -> None:
        self._credential = credential
        try:
            key_id = f"{credential.key_id}:{self._process}"
            self._current = EnrolmentIdentity(credential.key, key_id, credential.server_key, self._clock)
        except ValueError as error:
            raise IdentityError(f"{credential_file(self._state)} does not hold a usable key: enrol again") from error

    @property
    def generation(self) -> int:
        """Number of the current key; the first is 1."""
        return self._credential.generation

    @property
    def is_rotating(self) -> bool:
        """Whether a next key exists that the control plane has not confirmed."""
        return bool(self._credential.next_key)

    def age(self) -> float:
        """Return for how many seconds the key has been in use."""
        return max(0.0, time.time() - credential_file(self._state).stat().st_mtime)

    def headers(self, method: str, path: str, body: bytes) -> Mapping[str, str]:
        self._signed_at = self._clock.offset
        return self._current.headers(method, path, body)

    def heard(self, headers: Headers) -> None:
        self._clock.heard(headers)

    def check(self, status: int, body: bytes, headers: Headers, sent: Mapping[str, str]) -> None:
        self._current.check(status, body, headers, sent)

    def renew(self) -> bool:
        if self._clock.offset != self._signed_at:
            return True
        with self._lock:
            before = self._credential
            try:
                self._take(read_credential(self._state))
            except IdentityError:
                return False
            return self._credential.key != before.key

    def next_key(self) -> KeyRotation:
        """Return the next key, which is on disk before it is sent; an unconfirmed one is returned again.

        Raises:
            OSError: it could not be written; nothing changed.
        """
        with self._lock:
            if not self._credential.next_key:
                fresh = replace(self._credential, next_key=PrivateKey.new())
                write_credential(self._state, fresh)
                self._credential = fresh
            credential = self._credential
        generation = credential.generation + 1
        key = PrivateKey(credential.next_key)
        proof = key.proof(rotation_proof(str(credential.agent_id), generation))
        return KeyRotation(generation=generation, public_key=key.public, proof=proof)

    def promote(self) -> None:
        """Use the next key from now on: the control plane accepted it. After an OSError the old key stays in use."""
        with self._lock:
            credential = self._credential
            fresh = replace(
                credential, key=credential.next_key, generation=credential.generation + 1, next_key=Secret("")
            )
            write_credential(self._state, fresh)
            self._take(fresh)


def credential_file(state: Path) -> Path:
    """Return where the credential of a state folder is."""
    return state / "credential.json"


def read_credential(state: Path) -> Credential:
    """Return the credential of a state folder.

    Raises:
        IdentityError: it is missing, readable by others, or damaged.
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
        raise IdentityError(
            f"{path} is readable by others: run `chmod 600 {path}`, or enrol again if somebody may have read it"
        )
    try:
        return from_json(Credential, json.loads(text))
    except (ValueError, InvalidSpecError) as error:
        raise IdentityError(f"{path} is damaged ({error}): enrol again") from error


def write_credential(state: Path, credential: Credential) -> None:
    """Write a credential atomically and durably to a file of mode 0600. Raises OSError."""
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
