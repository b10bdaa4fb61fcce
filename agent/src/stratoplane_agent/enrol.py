# SPDX-License-Identifier: Apache-2.0
"""Enrolment: a one-use join token becomes the credential in the state folder."""

import threading
from pathlib import Path
from typing import Final

from stratoplane.messages import EnrolRequest
from stratoplane.settings import Secret
from stratoplane_agent.backoff import Backoff
from stratoplane_agent.control_plane import ControlPlane
from stratoplane_agent.identity import (
    Anonymous,
    Credential,
    IdentityError,
    credential_file,
    read_credential,
    write_credential,
)
from stratoplane_agent.log import Log
from stratoplane_agent.settings import AgentSettings, is_on_this_host
from stratoplane_agent.transport import VERSION, Route, Transport, UnreachableControlPlaneError

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
    transport = Transport(settings.control_plane, Anonymous(), Route(ca_file=settings.ca_file, proxy=settings.proxy))
    request = EnrolRequest(join_token=str(settings.join_token), name=settings.agent_name, version=VERSION)
    answer = ControlPlane(transport).enrol(request)
    credential = Credential(
        agent_id=answer.agent_id,
        cluster_id=answer.cluster_id,
        cluster_name=answer.cluster_name,
        installation_id=answer.installation_id,
        control_plane=settings.control_plane,
        secret=Secret(answer.credential),
    )
    write_credential(settings.state, credential)
    _log.info("enrolled", agent=answer.agent_id, cluster=answer.cluster_name, control_plane=settings.control_plane)
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


def _try_to_write(state: Path) -> None:
    probe = state / ".probe"
    probe.write_bytes(b"")
    probe.unlink()
