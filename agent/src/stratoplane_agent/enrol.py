# SPDX-License-Identifier: Apache-2.0
"""Enrolment: with a one-use join token the control plane admits a key that is made here and never leaves."""

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
_OTHER_SERVER: Final = "this is not the control plane that the join token names; nothing was said to it"
_log: Final = Log("enrol")


def make_state_folder(state: Path) -> None:
    """Make the folder, which only its user may enter. Raises OSError."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)


def check_way(settings: AgentSettings, url: str) -> None:
    """Raise IdentityError if the credential would travel unencrypted to another host without the operator's word."""
    if url.startswith("http:") and not is_on_this_host(url) and not settings.allow_plain_http:
        raise IdentityError(
            f"{url} is not encrypted and on another host: use https, or set allow_plain_http in a closed test network"
        )


def enrol(settings: AgentSettings) -> Credential:
    """Exchange the join token and keep the credential.

    Raises:
        IdentityError: the settings lack something, or the way is not safe.
        ControlPlaneError: no answer, or the token was refused.
        OSError: the state folder cannot be written; the token is used up then, so it is tried before.
    """
    if not settings.control_plane:
        raise IdentityError("name the control plane's URL, as in --control-plane https://cloud.example:8701")
    if not settings.join_token:
        raise IdentityError("give the join token that an operator made for this cluster")
    check_way(settings, settings.control_plane)
    make_state_folder(settings.state)
    _try_to_write(settings.state)
    credential = _join(settings, _token_of(settings))
    write_credential(settings.state, credential)
    where = credential.control_plane
    _log.info("enrolled", agent=credential.agent_id, cluster=credential.cluster_name, control_plane=where)
    return credential


def enrolled(settings: AgentSettings, stop: threading.Event) -> Credential | None:
    """Return the credential; enrol first if there is none and a join token is set, waiting for the control plane.

    Returns:
        None when ``stop`` was set before there was one.

    Raises:
        IdentityError: there is no usable credential and no token to get one with.
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
    """Say the token's secret to nobody but the control plane that the token's fingerprint names."""
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
    """The control plane's key, proved, and the time by its clock as a header has it."""

    text: str
    date: str


def _prove(control_plane: ControlPlane, token: JoinToken) -> _ServerKey:
    """Return the control plane's key once it is proved to be the one that the token names."""
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
