# SPDX-License-Identifier: Apache-2.0
"""Who an agent is: the key that signed its request names it and its cluster, whatever the body says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane.errors import AuthenticationFailedError
from stratoplane.incidents import Finding, IncidentKind, Severity
from stratoplane.signatures import WINDOW_SECONDS, Signed
from stratoplane_engine import signing_keys as keys
from stratoplane_engine.db import agent_keys as rows
from stratoplane_engine.db import audit as audit_rows
from stratoplane_engine.db import incidents as incident_rows
from stratoplane_engine.db.connection import Connection, Database

NOBODY: Final = UUID(int=0)
"""Stands for an agent that said no name, or one that nobody knows."""
_KEY_ID: Final = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([1-9][0-9]{0,17})")


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

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def authenticate(database: Database, signed: Signed) -> AgentIdentity:
    """Return the agent that signed a request.

    Raises:
        AuthenticationFailedError: the key is unknown, old, locked or revoked, the signature is not its own, the moment
            is too far from this clock, or the request was sent before. What was refused is on record once a minute.
    """
    match = _KEY_ID.fullmatch(signed.key_id)
    if match is None:
        raise refused(database, NOBODY, "unknown", "the key id names no agent; enrol the agent anew")
    agent_id, generation = UUID(match[1]), int(match[2])
    try:
        with database.system() as connection:
            row = rows.admit(
                connection, agent_id=agent_id, generation=generation, created=signed.created, nonce=signed.nonce
            )
            return _admitted(row, signed, generation)
    except _RefusedError as refusal:
        if refusal.reason == "copied":
            lock(database, agent_id, f"generation {generation} came back after its successor was used")
        known = refusal.reason != "unknown"
        raise refused(database, agent_id if known else NOBODY, refusal.reason, refusal.detail) from refusal


def _admitted(row: Mapping[str, Any] | None, signed: Signed, generation: int) -> AgentIdentity:
    if row is None:
        raise _RefusedError("unknown", "the agent's key is unknown; enrol the agent anew")
    if not keys.verifies(row["public_key"], signed.signature, signed.base):
        raise _RefusedError("signature", "the signature is not the agent's; enrol the agent anew if this persists")
    if row["revoked"]:
        raise _RefusedError("revoked", "the agent was revoked; enrol it anew")
    if row["locked"]:
        raise _RefusedError("locked", "the agent is locked because its key may have been copied; enrol it anew")
    if not row["timely"]:
        raise _RefusedError("clock", f"the moment of the signature is more than {WINDOW_SECONDS} s from this clock")
    if row["outdated"]:
        raise _RefusedError("copied", "a newer key of this agent is in use; the agent is locked now, enrol it anew")
    if not row["fresh"]:
        raise _RefusedError("replay", "this very request was sent before; sign each request anew")
    return AgentIdentity(
        id=row["id"], name=row["name"], cluster_id=row["cluster_id"], cluster=row["cluster"], generation=generation
    )


def refused(database: Database, agent_id: UUID, reason: str, detail: str) -> AuthenticationFailedError:
    """Put a refusal on record, once a minute for the same agent and reason, and return the error to raise."""
    with database.system() as connection:
        if rows.refusal_is_news(connection, agent_id, reason):
            audit_rows.write(connection, refusal_record(agent_id, reason))
    return AuthenticationFailedError(detail)


def refusal_record(agent_id: UUID, reason: str, **detail: object) -> AuditRecord:
    """Return the record of a refused request."""
    return AuditRecord(
        action=AuditAction.AGENT_REFUSED,
        actor=f"agent:{agent_id}" if agent_id != NOBODY else "agent:unknown",
        occurred_at=datetime.now(UTC),
        outcome="refused",
        subject_id=None if agent_id == NOBODY else agent_id,
        detail={"reason": reason, **detail},
    )


def lock(database: Database, agent_id: UUID, why: str) -> None:
    """Lock an agent whose key seems to be in two places, once; an incident tells the operators."""
    with database.system() as connection:
        if rows.lock(connection, agent_id):
            _tell(connection, agent_id, why)


def _tell(connection: Connection, agent_id: UUID, why: str) -> None:
    record = AuditRecord(
        action=AuditAction.AGENT_LOCKED,
        actor="engine",
        occurred_at=datetime.now(UTC),
        subject_id=agent_id,
        detail={"reason": why},
    )
    audit_rows.write(connection, record)
    finding = Finding(
        kind=IncidentKind.AGENT_LOCKED,
        severity=Severity.CRITICAL,
        key=f"{IncidentKind.AGENT_LOCKED}:{agent_id}",
        title=f"agent {agent_id} is locked: its key was used in two places",
        detail={"reason": why, "agent_id": str(agent_id)},
        cluster_id=rows.cluster_of(connection, agent_id),
    )
    incident_rows.report(connection, finding)
