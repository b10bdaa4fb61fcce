# SPDX-License-Identifier: Apache-2.0
"""How an agent gets in and renews its key, and how the control plane proves itself to it."""

import base64
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from psycopg.errors import UniqueViolation

from stratoplane.audit import AuditAction
from stratoplane.errors import AuthenticationFailedError, InvalidSpecError, StateConflictError
from stratoplane.ids import new_id
from stratoplane.join_tokens import JoinToken, rotation_proof, server_proof
from stratoplane.messages import (
    AGENT_PROTOCOL,
    OLDEST_PROTOCOL,
    Challenge,
    ChallengeRequest,
    Enrolment,
    EnrolRequest,
    KeyRotated,
    KeyRotation,
)
from stratoplane.signatures import WINDOW_SECONDS, Signed
from stratoplane.wire import rfc3339
from stratoplane_engine import signing_keys as keys
from stratoplane_engine.db import agent_keys as rows
from stratoplane_engine.db import audit as audit_rows
from stratoplane_engine.db.agent_keys import JoinTokenUse, ServingAgent
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.installation_key import InstallationKey, installation_key
from stratoplane_engine.model.cluster import Refusal, Rotation
from stratoplane_engine.services.agent_authentication import AgentIdentity, lock
from stratoplane_engine.services.audit_records import agent_record, refused_agent_record
from stratoplane_engine.services.credentials import token_hash

ENROLMENT_KEY_ID: Final = "enrolment"
"""Names the key of an enrolment's signature: the one in its body."""
_LONGEST_NONCE: Final = 128
_NAME: Final = 255


def join_token_text(connection: Connection, secret: str, certificate_pin: str) -> str:
    """Return the text of a join token that carries the installation's pin.

    Args:
        connection: reads the installation's key.
        secret: the one-use part.
        certificate_pin: SHA-256 of the certificate that agents see, hexadecimal; empty for none.
    """
    pin = installation_key(connection).pin
    return JoinToken(secret=secret, server_pin=pin, certificate_pin=certificate_pin).text


def challenge(key: InstallationKey, request: ChallengeRequest) -> Challenge:
    """Prove the installation's key over the agent's nonce. Raises InvalidSpecError."""
    if not 1 <= len(request.nonce) <= _LONGEST_NONCE:
        raise InvalidSpecError(f"/nonce: must have 1 to {_LONGEST_NONCE} characters")
    proof = base64.b64encode(key.sign(server_proof(request.nonce))).decode()
    return Challenge(public_key=key.public_key, proof=proof, server_time=datetime.now(UTC).isoformat())


def enrol(database: Database, request: EnrolRequest, signed: Signed) -> Enrolment:
    """Exchange a one-use join token: from now on the key in the request is an agent of the token's cluster.

    Raises:
        AuthenticationFailedError: the token is unknown, used or expired, or the request is not signed by the key in
            it; an operator makes another token.
        InvalidSpecError: the agent speaks another protocol.
        StateConflictError: the cluster has an agent, and the token does not replace it; the token stays unused.
    """
    check_protocol(request.protocol)
    _check_possession(request, signed)
    try:
        return _enrol(database, request)
    except _ServedError as error:
        _refuse_second(database, request, error.use)
        raise StateConflictError(str(error)) from error
    except UniqueViolation as error:
        raise StateConflictError("another agent has joined this cluster a moment ago; list the agents") from error


class _ServedError(Exception):
    """Raised inside the transaction, so that the join token is not used up."""

    def __init__(self, use: JoinTokenUse, present: ServingAgent) -> None:
        seen = "was never heard of" if present.seen_at is None else f"was last heard of at {rfc3339(present.seen_at)}"
        super().__init__(
            f"cluster {use.cluster} has the agent {present.name} ({present.id}), which {seen}; a cluster has one agent."
            f" To put this one in its place, use a token of 'stratoplane cluster join-token {use.cluster} --replace',"
            f" or end it with 'stratoplane agent revoke {present.id}' and enrol again"
        )
        self.use: Final = use


def _enrol(database: Database, request: EnrolRequest) -> Enrolment:
    agent_id = new_id()
    with database.system() as connection:
        use = rows.use_join_token(connection, token_hash(request.join_token))
        if use is not None and use.accepted:
            _make_room(connection, use)
            _insert_agent(connection, agent_id, use, request)
            return Enrolment(
                agent_id=agent_id,
                cluster_id=use.cluster_id,
                cluster_name=use.cluster,
                installation_id=use.installation_id,
            )
        detail = {"cluster_id": None if use is None else str(use.cluster_id), "name": request.name[:_NAME]}
        audit_rows.write(connection, refused_agent_record(None, Refusal.JOIN_TOKEN, detail=detail))
    raise AuthenticationFailedError("the join token is unknown, used or expired; an operator can make another one")


def _make_room(connection: Connection, use: JoinTokenUse) -> None:
    present = rows.serving(connection, use.cluster_id)
    if present is None:
        return
    if not use.replaces:
        raise _ServedError(use, present)
    rows.revoke(connection, present.id)
    detail = {"cluster_id": str(use.cluster_id), "reason": "replaced by another agent"}
    audit_rows.write(connection, agent_record(AuditAction.AGENT_REVOKED, present.id, present.name, detail))


def _refuse_second(database: Database, request: EnrolRequest, use: JoinTokenUse) -> None:
    detail = {"cluster_id": str(use.cluster_id), "name": request.name[:_NAME]}
    with database.system() as connection:
        audit_rows.write(connection, refused_agent_record(None, Refusal.SERVED, detail=detail))


def _insert_agent(connection: Connection, agent_id: UUID, use: JoinTokenUse, request: EnrolRequest) -> None:
    name, version = request.name[:_NAME], request.version[:_NAME]
    rows.insert(
        connection,
        agent_id=agent_id,
        cluster_id=use.cluster_id,
        name=name,
        version=version,
        protocol=request.protocol,
        public_key=request.public_key,
    )
    detail = {"cluster_id": str(use.cluster_id), "version": version}
    audit_rows.write(connection, agent_record(AuditAction.AGENT_ENROLLED, agent_id, name, detail))


def check_protocol(protocol: int) -> None:
    """Raise InvalidSpecError, which says who is to be updated, unless the control plane serves the protocol."""
    if OLDEST_PROTOCOL <= protocol <= AGENT_PROTOCOL:
        return
    behind = "control plane first" if protocol > AGENT_PROTOCOL else "agent"
    served = f"{OLDEST_PROTOCOL} to {AGENT_PROTOCOL}"
    raise InvalidSpecError(f"the agent speaks protocol {protocol}, this control plane {served}; update the {behind}")


def _check_possession(request: EnrolRequest, signed: Signed) -> None:
    """Nothing is kept against a replay: the token is used up by then."""
    if abs(datetime.now(UTC).timestamp() - signed.created) > WINDOW_SECONDS:
        raise AuthenticationFailedError(f"the time of the signature is more than {WINDOW_SECONDS} s from this clock")
    if signed.key_id != ENROLMENT_KEY_ID or not keys.verifies(request.public_key, signed.signature, signed.base):
        raise AuthenticationFailedError("the request is not signed with the key that it brings")


def rotate(database: Database, agent: AgentIdentity, request: KeyRotation) -> KeyRotated:
    """Take an agent's next key; the same request may come again as long as the new key was not used.

    Raises:
        InvalidSpecError: the key is not valid, or the agent does not prove that it has it.
        StateConflictError: the generation is not the next one.
        AuthenticationFailedError: the generation has another key already: the agent is locked.
    """
    _check_next_key(agent, request)
    with database.system() as connection:
        became = rows.rotate(connection, agent.id, request.generation, request.public_key)
        if became is Rotation.ROTATED:
            detail = {"generation": request.generation}
            audit_rows.write(connection, agent_record(AuditAction.AGENT_KEY_ROTATED, agent.id, agent.name, detail))
    if became is Rotation.TAKEN:
        lock(database, agent.id, f"two keys of generation {request.generation} were brought")
        raise AuthenticationFailedError("this generation has another key; the agent is locked now, enrol it again")
    if became is Rotation.REFUSED:
        raise StateConflictError(f"generation {request.generation} is not the next one of agent {agent.name}")
    return KeyRotated(generation=request.generation)


def _check_next_key(agent: AgentIdentity, request: KeyRotation) -> None:
    message = rotation_proof(str(agent.id), request.generation)
    try:
        proof = base64.b64decode(request.proof, validate=True)
    except ValueError as error:
        raise InvalidSpecError("/proof: must be base64") from error
    if request.generation != agent.generation + 1 or not keys.verifies(request.public_key, proof, message):
        raise InvalidSpecError("the next key must be of the next generation and prove itself over agent and generation")


def is_known(database: Database, agent_id: UUID, generation: int, private_key: str) -> bool:
    """Tell whether a credential file is of an agent of this database that may work."""
    with database.system_reads() as connection:
        known = rows.public_key(connection, agent_id, generation)
    return known is not None and keys.raw_key(private_key) is not None and known == keys.public_key_of(private_key)
