# SPDX-License-Identifier: Apache-2.0
"""Enrolment: in exchange for a one-use join token, the control plane accepts a key that never leaves this host."""

import base64
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Final

from stratoplane.errors import InvalidSpecError
from stratoplane.join_tokens import JoinToken, pin_of, read_join_token, server_proof
from stratoplane.messages import ChallengeRequest, EnrolRequest
from stratoplane_agent.backoff import Backoff
from stratoplane_agent.control_plane import ControlPlane
from stratoplane_agent.identity import (
    Anonymous,
    Credential,
    EnrolmentIdentity,
    IdentityError,
    ServerClock,
    credential_file,
    read_credential,
    write_credential,
)
from stratoplane_agent.keys import PrivateKey, PublicKey
from stratoplane_agent.log import Log
from stratoplane_agent.settings import AgentSettings, is_on_this_host
from stratoplane_agent.transport import VERSION, Route, Transport, UnreachableControlPlaneError

ENROLMENT_KEY_ID: Final = "enrolment"
_FINGERPRINT: Final = "Fingerprints did not match"
_OTHER_SERVER: Final = "this is not the control plane that the join token names; no secret was sent to it"
_log: Final = Log("enrol")


def make_state_folder(state: Path) -> None:
    """Create the folder, accessible to its user only. Raises OSError."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)


def require_encryption(settings: AgentSettings, url: str) -> None:
    """Raise IdentityError if the credential would be sent unencrypted to another host and the settings forbid it."""
    if url.startswith("http:") and not is_on_this_host(url) and not settings.allow_plain_http:
        raise IdentityError(
            f"{url} is on another host and not encrypted: use https, or set allow_plain_http in a closed test network"
        )


def enrol(settings: AgentSettings) -> Credential:
    """Exchange the join token and keep the credential.

    Raises:
        IdentityError: a setting is missing, or the connection would not be encrypted.
        ControlPlaneError: no answer, or the token was refused.
        OSError: the state folder cannot be written. That is tried before the token is used.
    """
    if not settings.control_plane:
        raise IdentityError("specify the control plane's URL, such as --control-plane https://cloud.example:8701")
    if not settings.join_token:
        raise IdentityError("specify the join token that an operator created for this cluster")
    require_encryption(settings, settings.control_plane)
    make_state_folder(settings.state)
    _try_to_write(settings.state)
    credential = _join(settings, _token_of(settings))
    write_credential(settings.state, credential)
    where = credential.control_plane
    _log.info("enrolled", agent=credential.agent_id, cluster=credential.cluster_name, control_plane=where)
    return credential


def enrolled(settings: AgentSettings, stop: threading.Event) -> Credential | None:
    """Return the credential; without one, enrol with the join token and wait for the control plane.

    Returns:
        None when ``stop`` was set before enrolment succeeded.

    Raises:
        IdentityError: neither a usable credential nor a join token exists.
        ControlPlaneError: the control plane refused the token.
    """
    if credential_file(settings.state).exists() or not settings.join_token:
        return read_credential(settings.state)
    backoff = Backoff(cap=5.0)
    while not stop.is_set():
        try:
            return enrol(settings)
        except UnreachableControlPlaneError as error:
            if not backoff.failures:
                _log.warning("enrolment_waits", reason=error)
            stop.wait(backoff.delay(error.retry_after))
    return None


def _token_of(settings: AgentSettings) -> JoinToken:
    try:
        return read_join_token(str(settings.join_token))
    except InvalidSpecError as error:
        raise IdentityError(error.detail) from error


def _join(settings: AgentSettings, token: JoinToken) -> Credential:
    """Send the token's secret only to the control plane that the token's fingerprint identifies."""
    route = Route(ca_file=settings.ca_file, proxy=settings.proxy, certificate_pin=token.certificate_pin)
    server_key = _prove(ControlPlane(Transport(settings.control_plane, Anonymous(), route)), token)
    key, clock = PrivateKey.new(), ServerClock()
    clock.heard({"Date": server_key.date})
    identity = EnrolmentIdentity(key, ENROLMENT_KEY_ID, server_key.text, clock)
    request = EnrolRequest(
        join_token=token.secret, name=settings.agent_name, version=VERSION, public_key=PrivateKey(key).public
    )
    answer = ControlPlane(Transport(settings.control_plane, identity, route)).enrol(request)
    return Credential(
        agent_id=answer.agent_id,
        cluster_id=answer.cluster_id,
        cluster_name=answer.cluster_name,
        installation_id=answer.installation_id,
        control_plane=settings.control_plane,
        server_key=server_key.text,
        key=key,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _ServerKey:
    """The control plane's verified key, and its time in the format of the ``Date`` header."""

    text: str
    date: str


def _prove(control_plane: ControlPlane, token: JoinToken) -> _ServerKey:
    """Return the control plane's key after verifying that it is the one the token identifies."""
    nonce = secrets.token_urlsafe(32)
    try:
        proved = control_plane.challenge(ChallengeRequest(nonce=nonce))
    except UnreachableControlPlaneError as error:
        if _FINGERPRINT in str(error):
            raise IdentityError(f"{_OTHER_SERVER} (its certificate)") from error
        raise
    try:
        key, proof = PublicKey(proved.public_key), base64.b64decode(proved.proof, validate=True)
        date = format_datetime(datetime.fromisoformat(proved.server_time).astimezone(UTC), usegmt=True)
    except ValueError as error:
        raise IdentityError(f"{_OTHER_SERVER}: its proof cannot be read") from error
    if pin_of(key.raw) != token.server_pin or not key.verifies(proof, server_proof(nonce)):
        raise IdentityError(f"{_OTHER_SERVER} (its key)")
    return _ServerKey(text=proved.public_key, date=date)


def _try_to_write(state: Path) -> None:
    probe = state / ".probe"
    probe.write_bytes(b"")
    probe.unlink()
