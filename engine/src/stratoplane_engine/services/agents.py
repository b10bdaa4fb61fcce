# SPDX-License-Identifier: Apache-2.0
"""What agents may do: enrol, say what they have, take operations, report results and inventory.

Everything is bound to the cluster of the agent's credential; nothing in a request's body can name another.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane.errors import AuthenticationFailedError, InvalidSpecError
from stratoplane.ids import new_id
from stratoplane.messages import (
    AGENT_PROTOCOL,
    AcknowledgementAnswer,
    Acknowledgements,
    Enrolment,
    EnrolRequest,
    Hello,
    Inventory,
    OfferRequest,
    Offers,
    Operation,
    ProviderStatus,
    Results,
    ResultsAnswer,
    Welcome,
)
from stratoplane.wire import to_json
from stratoplane_engine.aftermath import open_circuit
from stratoplane_engine.db import agents as rows
from stratoplane_engine.db import audit as audit_rows
from stratoplane_engine.db import incidents as incident_rows
from stratoplane_engine.db import operations as operation_rows
from stratoplane_engine.db.connection import Database

POLL_SECONDS: Final = 25.0
INVENTORY_SECONDS: Final = 30.0
LARGEST_OFFER: Final = 200
_OLDEST_INVENTORY: Final = 86_400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentIdentity:
    """The agent behind a credential and the one cluster that it may touch."""

    id: UUID
    name: str
    cluster_id: UUID
    cluster: str


def secret_hash(secret: str) -> str:
    """Return what the database keeps of a random secret of 256 bits: SHA-256 is enough, there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


def enrol(database: Database, request: EnrolRequest) -> Enrolment:
    """Exchange a one-use join token for an agent's credential.

    Raises:
        AuthenticationFailedError: the token is unknown, used or over; an operator makes another.
        InvalidSpecError: the agent speaks another protocol.
    """
    _check_protocol(request.protocol)
    credential = f"spt_agent_{secrets.token_urlsafe(32)}"
    agent_id = new_id()
    with database.system() as connection:
        cluster = rows.use_join_token(connection, secret_hash(request.join_token))
        if cluster is not None:
            rows.insert(
                connection,
                agent_id=agent_id,
                cluster_id=cluster["id"],
                name=request.name,
                version=request.version,
                credential_hash=secret_hash(credential),
            )
        _record(connection, request, None if cluster is None else cluster["id"], agent_id)
    if cluster is None:
        raise AuthenticationFailedError("the join token is unknown, used or over; an operator can make another one")
    return Enrolment(
        agent_id=agent_id,
        cluster_id=cluster["id"],
        cluster_name=cluster["name"],
        installation_id=cluster["installation_id"],
        credential=credential,
    )


def _check_protocol(protocol: int) -> None:
    if protocol != AGENT_PROTOCOL:
        raise InvalidSpecError(f"the agent speaks protocol {protocol}, this control plane {AGENT_PROTOCOL}; update it")


def _record(connection: Connection, request: EnrolRequest, cluster_id: UUID | None, agent_id: UUID) -> None:
    refused = cluster_id is None
    record = AuditRecord(
        action=AuditAction.AGENT_REFUSED if refused else AuditAction.AGENT_ENROLLED,
        actor=f"agent:{request.name}",
        occurred_at=datetime.now(UTC),
        outcome="refused" if refused else "succeeded",
        subject_id=None if refused else agent_id,
        subject_name=request.name,
        detail={"cluster_id": str(cluster_id) if cluster_id else None, "version": request.version},
    )
    audit_rows.write(connection, record)


def authenticate(database: Database, credential: str) -> AgentIdentity:
    """Return the agent of a credential.

    Raises:
        AuthenticationFailedError: it is unknown or was revoked; the agent stops and an operator enrols it anew.
    """
    with database.system() as connection:
        row = rows.find(connection, secret_hash(credential))
    if row is None:
        raise AuthenticationFailedError("the agent's credential is unknown or revoked; enrol the agent anew")
    return AgentIdentity(id=row["id"], name=row["name"], cluster_id=row["cluster_id"], cluster=row["cluster"])


def hello(database: Database, agent: AgentIdentity, message: Hello) -> Welcome:
    """Take down which drivers the agent has and what the cluster can do and hold.

    Raises:
        InvalidSpecError: the agent speaks another protocol.
    """
    _check_protocol(message.protocol)
    ready = [provider for provider in message.providers if provider.status is ProviderStatus.READY]
    features = sorted({provider.interface for provider in ready} | {each for one in ready for each in one.features})
    with database.system() as connection:
        rows.replace_providers(connection, agent.cluster_id, [to_json(each) for each in message.providers], features)
        rows.set_capacity(connection, agent.cluster_id, message.capacity)
    return Welcome(
        server_time=datetime.now(UTC).isoformat(), poll_seconds=POLL_SECONDS, inventory_seconds=INVENTORY_SECONDS
    )


def take_offers(database: Database, agent: AgentIdentity, request: OfferRequest) -> Offers:
    """Return the operations that are open now; the gateway waits and asks again when there are none."""
    maximum = max(1, min(request.maximum, LARGEST_OFFER))
    with database.system() as connection:
        found = operation_rows.offer(connection, agent.cluster_id, agent.id, maximum)
    return Offers(
        operations=tuple(Operation(**row) for row in found), acknowledge_seconds=operation_rows.ACKNOWLEDGE_SECONDS
    )


def acknowledge(database: Database, agent: AgentIdentity, message: Acknowledgements) -> AcknowledgementAnswer:
    """Give the operations to the agent that it is about to execute, unless they were taken back."""
    with database.system() as connection:
        accepted = operation_rows.acknowledge(
            connection, agent.cluster_id, [to_json(each) for each in message.operations]
        )
    asked = [reference.id for reference in message.operations]
    return AcknowledgementAnswer(
        accepted=tuple(each for each in asked if each in accepted),
        refused=tuple(each for each in asked if each not in accepted),
    )


def report_results(database: Database, agent: AgentIdentity, message: Results) -> ResultsAnswer:
    """Take results; the same result may come twice, one of an older epoch changes nothing."""
    documents = [{"id": each.id, "epoch": each.epoch, "result": to_json(each)} for each in message.results]
    with database.system() as connection:
        reception = operation_rows.report(connection, agent.cluster_id, documents)
        if reception.trips:
            incident_rows.see(connection, open_circuit(agent.cluster_id, reception.trips))
    return ResultsAnswer(accepted=tuple(sorted(reception.accepted)), stale=tuple(sorted(reception.stale)))


def _age(message: Inventory) -> float:
    return min(max(0.0, message.age_seconds), _OLDEST_INVENTORY)


def report_inventory(database: Database, agent: AgentIdentity, message: Inventory) -> None:
    """Take down what the cluster holds; the reconciler compares it with what it should."""
    with database.system() as connection:
        items = [to_json(each) for each in message.items]
        rows.replace_inventory(connection, agent.cluster_id, message.kinds, items, age=_age(message))
        rows.set_capacity(connection, agent.cluster_id, message.capacity)
