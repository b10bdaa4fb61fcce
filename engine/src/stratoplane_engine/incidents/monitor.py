# SPDX-License-Identifier: Apache-2.0
"""The monitor: silent clusters, silent drivers and an unsealed trail become incidents; unacknowledged ones escalate."""

from dataclasses import dataclass
from typing import Final

from stratoplane.incidents import Finding, IncidentKind, Severity
from stratoplane.wire import rfc3339
from stratoplane_engine.db import audit_tree, incidents
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.audit import UnsealedEvent
from stratoplane_engine.model.cluster import LateListing
from stratoplane_engine.model.incident import SilentCluster
from stratoplane_engine.settings import EngineSettings

_LIMIT: Final = 500
_LEVELS: Final = 3
_SEAL: Final = f"{IncidentKind.AUDIT_SEAL_LATE}:trail"


@dataclass(frozen=True, kw_only=True, slots=True)
class MonitorRound:
    """What one round found.

    Attributes:
        silent: clusters whose agents are not heard of.
        heard: incidents of clusters that are heard of again.
        escalated: incidents that were raised a level.
        late: listings of drivers that are too old.
        seal_is_late: whether an event of the audit trail waits too long for its seal.
    """

    silent: int
    heard: int
    escalated: int
    late: int
    seal_is_late: bool


def run_monitor_round(database: Database, settings: EngineSettings) -> MonitorRound:
    """Look at clusters, open incidents and the audit trail's seal once. Several at once do no harm.

    Raises:
        UnavailableError: the database does not answer; the next round looks at the same.
    """
    with database.system() as connection:
        silent = incidents.silent_clusters(connection, seconds=settings.agent_lost_seconds)
        incidents.report(connection, *map(_agent_lost, silent))
        heard = incidents.heard_again(connection, seconds=settings.agent_lost_seconds)
        incidents.resolve(connection, *heard)
        escalated = incidents.escalate(
            connection,
            warning=settings.escalate_warning_seconds,
            critical=settings.escalate_critical_seconds,
            most=_LEVELS,
            limit=_LIMIT,
        )
        late = incidents.late_listings(connection, seconds=settings.listing_late_seconds)
        incidents.report(connection, *map(_listing_late, late))
        incidents.resolve(connection, *incidents.listed_again(connection, seconds=settings.listing_late_seconds))
        seal_is_late = _check_seal(connection, settings.seal_late_seconds)
    return MonitorRound(
        silent=len(silent), heard=len(heard), escalated=escalated, late=len(late), seal_is_late=seal_is_late
    )


def _agent_lost(cluster: SilentCluster) -> Finding:
    return Finding(
        kind=IncidentKind.AGENT_LOST,
        severity=Severity.CRITICAL,
        key=f"{IncidentKind.AGENT_LOST}:{cluster.id}",
        title=f"the agent of cluster {cluster.name} does not answer; its resources keep running",
        detail={"seen_at": rfc3339(cluster.seen_at)},
        cluster_id=cluster.id,
    )


def _listing_late(late: LateListing) -> Finding:
    return Finding(
        kind=IncidentKind.LISTING_LATE,
        severity=Severity.WARNING,
        key=f"{IncidentKind.LISTING_LATE}:{late.cluster_id}:{late.interface}:{late.name}",
        title=f"the {late.interface} driver {late.driver} of cluster {late.cluster} does not answer for {late.name};"
        " what is shown of it is old",
        detail={
            "interface": late.interface,
            "listing": late.name,
            "answered_at": rfc3339(late.answered_at),
            "error": late.error,
        },
        cluster_id=late.cluster_id,
    )


def _check_seal(connection: Connection, most: float) -> bool:
    """Tell whether the oldest unsealed event is older than ``most`` seconds; the incident follows."""
    waiting = audit_tree.oldest_unsealed(connection)
    if waiting is None or waiting.age <= most:
        incidents.resolve(connection, _SEAL)
        return False
    incidents.report(connection, _seal_late(waiting))
    return True


def _seal_late(waiting: UnsealedEvent) -> Finding:
    return Finding(
        kind=IncidentKind.AUDIT_SEAL_LATE,
        severity=Severity.CRITICAL,
        key=_SEAL,
        title=f"an audit event has waited {waiting.age:.0f} s for its seal; look for a long transaction in PostgreSQL"
        " and at the scheduler's log",
        detail={
            "event_id": str(waiting.id),
            "occurred_at": rfc3339(waiting.occurred_at),
            "sealed_events": waiting.sealed_events,
            "sealed_at": None if waiting.sealed_at is None else rfc3339(waiting.sealed_at),
        },
    )
