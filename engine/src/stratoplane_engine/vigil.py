# SPDX-License-Identifier: Apache-2.0
"""The vigil over incidents: silent clusters become one, and what nobody has acknowledged in time escalates."""

from dataclasses import dataclass

from stratoplane.incidents import IncidentKind, Severity, Sighting
from stratoplane_engine.db import incidents
from stratoplane_engine.db.connection import Database
from stratoplane_engine.kinds import wire_form
from stratoplane_engine.settings import EngineSettings

_LIMIT = 500
_LEVELS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """What one round found: clusters that are silent, those heard again, and incidents that were raised a level."""

    silent: int
    heard: int
    escalated: int


def keep_vigil(database: Database, settings: EngineSettings) -> Watch:
    """Look once. Several at once do no harm.

    Raises:
        UnavailableError: the database does not answer.
    """
    with database.system() as connection:
        silent = incidents.silent_clusters(connection, seconds=settings.agent_lost_seconds)
        incidents.see(
            connection,
            *(
                Sighting(
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
        incidents.clear(connection, *heard)
        escalated = incidents.escalate(
            connection,
            warning=settings.escalate_warning_seconds,
            critical=settings.escalate_critical_seconds,
            most=_LEVELS,
            limit=_LIMIT,
        )
    return Watch(silent=len(silent), heard=len(heard), escalated=escalated)
