# SPDX-License-Identifier: Apache-2.0
"""The vigil: silent clusters and a trail without its seal become incidents, and what nobody sees to escalates."""

from dataclasses import dataclass

from stratoplane.incidents import Finding, IncidentKind, Severity
from stratoplane_engine.db import audit_tree, incidents
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.kinds import wire_form
from stratoplane_engine.settings import EngineSettings

_LIMIT = 500
_LEVELS = 3
_SEAL = f"{IncidentKind.AUDIT_SEAL_LATE}:trail"


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """What one round found.

    Attributes:
        silent: clusters whose agents are not heard of.
        heard: incidents of clusters that are heard of again.
        escalated: incidents that were raised a level.
        seal_is_late: whether an event of the audit trail waits too long for its seal.
    """

    silent: int
    heard: int
    escalated: int
    seal_is_late: bool


def look_once(database: Database, settings: EngineSettings) -> Watch:
    """Look once. Several at once do no harm.

    Raises:
        UnavailableError: the database does not answer.
    """
    with database.system() as connection:
        silent = incidents.silent_clusters(connection, seconds=settings.agent_lost_seconds)
        incidents.report(
            connection,
            *(
                Finding(
                    kind=IncidentKind.AGENT_LOST,
                    severity=Severity.CRITICAL,
                    key=f"{IncidentKind.AGENT_LOST}:{row['id']}",
                    title=f"nothing was heard from the agent of cluster {row['name']}; what runs there runs on",
                    detail={"seen_at": wire_form.instant(row["seen_at"])},
                    cluster_id=row["id"],
                )
                for row in silent
            ),
        )
        heard = incidents.heard_again(connection, seconds=settings.agent_lost_seconds)
        incidents.resolve(connection, *heard)
        escalated = incidents.escalate(
            connection,
            warning=settings.escalate_warning_seconds,
            critical=settings.escalate_critical_seconds,
            most=_LEVELS,
            limit=_LIMIT,
        )
        seal_is_late = _look_at_the_seal(connection, settings.seal_late_seconds)
    return Watch(silent=len(silent), heard=len(heard), escalated=escalated, seal_is_late=seal_is_late)


def _look_at_the_seal(connection: Connection, most: float) -> bool:
    waiting = audit_tree.oldest_unsealed(connection)
    if waiting is None or waiting["age"] <= most:
        incidents.resolve(connection, _SEAL)
        return False
    last = audit_tree.last_checkpoint(connection)
    finding = Finding(
        kind=IncidentKind.AUDIT_SEAL_LATE,
        severity=Severity.CRITICAL,
        key=_SEAL,
        title=f"an event of the audit trail has waited {waiting['age']:.0f} s for its seal; look for a transaction that"
        " is open in PostgreSQL for as long, and into the scheduler's log",
        detail={
            "event_id": str(waiting["id"]),
            "occurred_at": wire_form.instant(waiting["occurred_at"]),
            "sealed_events": last["size"] if last else 0,
            "sealed_at": wire_form.instant(last["sealed_at"]) if last else None,
        },
    )
    incidents.report(connection, finding)
    return True
