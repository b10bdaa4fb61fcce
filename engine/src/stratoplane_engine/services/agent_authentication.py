# SPDX-License-Identifier: Apache-2.0
"""Who an agent is: the key that signed its request names it and its cluster, whatever the body says."""

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from stratoplane.errors import AuthenticationFailedError, StateConflictError
from stratoplane.incidents import Finding, IncidentKind, Severity
from stratoplane.signatures import WINDOW_SECONDS, Signed
from stratoplane_engine import signing_keys as keys
from stratoplane_engine.db import agent_keys as rows
from stratoplane_engine.db import audit as audit_rows
from stratoplane_engine.db import incidents as incident_rows
from stratoplane_engine.db.agent_keys import AdmissionFacts
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.cluster import Refusal
from stratoplane_engine.services.audit_records import locked_agent_record, refused_agent_record

_NOBODY: Final = UUID(int=0)
"""Counts the refusals of agents that nobody knows."""
_KEY_ID: Final = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([1-9][0-9]{0,17})(?::([0-9a-f]{16}))?")
"""Agent, generation of the key and, from agents that name it, the process that signs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentIdentity:
    """The agent behind a key, the key's generation, and the one cluster that it may touch."""

    id: UUID
    name: str
    cluster_id: UUID
    cluster: str
    generation: int = 1


class _RefusedError(Exception):
    """The request is not admitted; raised inside the transaction, so that its nonce is not used up."""

    def __init__(self, reason: Refusal, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class _ReplacedError(Exception):
    """The request is of a process that another one of the same agent came after."""

    def __init__(self, facts: AdmissionFacts) -> None:
        super().__init__(
            f"another process of agent {facts.name} has started after this one and is running; this one gets nothing to"
            " do. If nobody moved the agent, its state folder was copied: stop one of the two, or enrol one again"
        )
        self.facts: Final = facts


def authenticate(database: Database, signed: Signed) -> AgentIdentity:
    """Return the agent that signed a request.

    Raises:
        AuthenticationFailedError: the key is unknown, old, locked or revoked, the signature is not its own, the time
            is too far from this clock, or the request was sent before. What was refused is on record once a minute.
        StateConflictError: a later process of the same agent is running. If both run, an incident tells the operators.
    """
    match = _KEY_ID.fullmatch(signed.key_id)
    if match is None:
        raise refused(database, None, Refusal.UNKNOWN, "the key id does not name an agent; enrol the agent again")
    agent_id, generation, process = UUID(match[1]), int(match[2]), match[3] or ""
    try:
        with database.system() as connection:
            facts = rows.admit(
                connection,
                agent_id=agent_id,
                generation=generation,
                process=process,
                created=signed.created,
                nonce=signed.nonce,
            )
            return _admitted(facts, signed, generation)
    except _ReplacedError as refusal:
        _tell_of_twin(database, refusal.facts)
        raise StateConflictError(str(refusal)) from refusal
    except _RefusedError as refusal:
        if refusal.reason is Refusal.COPIED:
            lock(database, agent_id, f"generation {generation} came back after its successor was used")
        known = refusal.reason is not Refusal.UNKNOWN
        raise refused(database, agent_id if known else None, refusal.reason, refusal.detail) from refusal


def _admitted(facts: AdmissionFacts | None, signed: Signed, generation: int) -> AgentIdentity:
    if facts is None:
        raise _RefusedError(Refusal.UNKNOWN, "the agent's key is unknown; enrol the agent again")
    if not keys.verifies(facts.public_key, signed.signature, signed.base):
        detail = "the signature is not the agent's; enrol the agent again if this persists"
        raise _RefusedError(Refusal.SIGNATURE, detail)
    if facts.revoked:
        raise _RefusedError(Refusal.REVOKED, "the agent was revoked; enrol it again")
    if facts.locked:
        detail = "the agent is locked because its key may have been copied; enrol it again"
        raise _RefusedError(Refusal.LOCKED, detail)
    if not facts.timely:
        detail = f"the time of the signature is more than {WINDOW_SECONDS} s from this clock"
        raise _RefusedError(Refusal.CLOCK, detail)
    if facts.outdated:
        detail = "a newer key of this agent is in use; the agent is locked now, enrol it again"
        raise _RefusedError(Refusal.COPIED, detail)
    if facts.replaced:
        raise _ReplacedError(facts)
    if not facts.fresh:
        raise _RefusedError(Refusal.REPLAY, "the same request was sent before; sign each request separately")
    return AgentIdentity(
        id=facts.id, name=facts.name, cluster_id=facts.cluster_id, cluster=facts.cluster, generation=generation
    )


def refused(database: Database, agent_id: UUID | None, reason: Refusal, detail: str) -> AuthenticationFailedError:
    """Put a refusal on record, once a minute for the same agent and reason, and return the error to raise.

    Args:
        database: has the audit trail.
        agent_id: who was refused, None for an agent that nobody knows.
        reason: for the audit trail.
        detail: for the agent's log.
    """
    with database.system() as connection:
        if rows.is_first_refusal(connection, agent_id or _NOBODY, reason):
            audit_rows.write(connection, refused_agent_record(agent_id, reason))
    return AuthenticationFailedError(detail)


def _tell_of_twin(database: Database, facts: AdmissionFacts) -> None:
    """Put the refusal on record once a minute, and open an incident if both processes run."""
    with database.system() as connection:
        if not rows.is_first_refusal(connection, facts.id, Refusal.REPLACED):
            return
        audit_rows.write(connection, refused_agent_record(facts.id, Refusal.REPLACED, name=facts.name))
        if not facts.outlived:
            return
        finding = Finding(
            kind=IncidentKind.AGENT_TWICE,
            severity=Severity.CRITICAL,
            key=f"{IncidentKind.AGENT_TWICE}:{facts.id}",
            title=f"two processes run as agent {facts.name} of cluster {facts.cluster}: its state folder was copied",
            detail={"agent_id": str(facts.id), "refused": "the process that started first"},
            cluster_id=facts.cluster_id,
        )
        incident_rows.report(connection, finding)


def lock(database: Database, agent_id: UUID, why: str) -> None:
    """Lock an agent whose key seems to be in two places, once; an incident tells the operators."""
    with database.system() as connection:
        if rows.lock(connection, agent_id):
            _report_lock(connection, agent_id, why)


def _report_lock(connection: Connection, agent_id: UUID, why: str) -> None:
    audit_rows.write(connection, locked_agent_record(agent_id, why))
    finding = Finding(
        kind=IncidentKind.AGENT_LOCKED,
        severity=Severity.CRITICAL,
        key=f"{IncidentKind.AGENT_LOCKED}:{agent_id}",
        title=f"agent {agent_id} is locked: its key was used in two places",
        detail={"reason": why, "agent_id": str(agent_id)},
        cluster_id=rows.cluster_of(connection, agent_id),
    )
    incident_rows.report(connection, finding)
