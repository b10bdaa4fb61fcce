# SPDX-License-Identifier: Apache-2.0
"""Circuits: a cluster whose provider keeps failing is sent less, and then only a probe now and then.

Retries are paid from a budget, as in gRPC's retry throttling: each answer of the provider adds a little,
each failure that would be repeated costs one. When it is spent the circuit opens, for longer each time, and after that
one operation at a time decides. Waiting operations keep their place; other clusters are not concerned.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from stratoplane.messages import OperationReference
from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.statement import Statement

LIMITS: Final = {"budget": 20.0, "refill": 0.25, "shortest": 5.0, "longest": 300.0}
"""A full budget; what an answer adds; seconds that a circuit is open, the first time and at most."""

# An object that is busy is a provider that answers.
HURTS: Final = "r.result->>'outcome' IN ('transient', 'uncertain') AND r.result->>'code' <> 'busy'"

MOVE_CIRCUIT: Final = """
answers AS MATERIALIZED (
    SELECT count(*) FILTER (WHERE hurts) AS failed, count(*) FILTER (WHERE NOT hurts) AS answered FROM ended
),
first_failure AS (
    INSERT INTO circuit (cluster_id, budget) SELECT :cluster, :budget - a.failed FROM answers a WHERE a.failed > 0
    ON CONFLICT (cluster_id) DO NOTHING
),
judged AS MATERIALIZED (
    SELECT c.cluster_id, least(:budget, c.budget + :refill * a.answered - a.failed) AS budget,
        a.failed > 0 AND (c.trips > 0 OR c.budget + :refill * a.answered - a.failed < 1)
            AND (c.open_until IS NULL OR c.open_until < clock_timestamp()) AS trips_now,
        c.trips > 0 AND a.failed = 0 AND a.answered > 0 AS closes
    FROM circuit c CROSS JOIN answers a
    WHERE c.cluster_id = :cluster AND (a.failed > 0 OR a.answered > 0 AND (c.budget < :budget OR c.trips > 0))
    FOR NO KEY UPDATE OF c
),
circuit_moved AS (
    UPDATE circuit c SET changed_at = clock_timestamp(),
        budget = CASE WHEN j.closes THEN :budget / 2 ELSE greatest(0, j.budget) END,
        trips = CASE WHEN j.closes THEN 0 WHEN j.trips_now THEN c.trips + 1 ELSE c.trips END,
        open_until = CASE WHEN j.closes THEN NULL WHEN j.trips_now
            THEN clock_timestamp() + make_interval(secs => least(:longest, :shortest * power(2, c.trips)))
            ELSE c.open_until END
    FROM judged j WHERE c.cluster_id = j.cluster_id RETURNING c.trips, j.trips_now, j.closes
)
"""
"""Parts of the statement that takes results, after ``ended``."""

# Nothing while the circuit is open or the cluster disabled, and then one operation whose answer decides.
ROOM: Final = """
room AS MATERIALIZED (
    SELECT CASE WHEN c.open_until > clock_timestamp() THEN 0
        WHEN EXISTS (SELECT FROM cluster d WHERE d.id = :cluster AND d.state = 'DISABLED') THEN 0
        WHEN c.trips > 0 THEN least(:maximum, greatest(0, 1 - (SELECT count(*) FROM operation o
            WHERE o.cluster_id = :cluster AND (o.state = 'RUNNING'
                OR o.state = 'OFFERED' AND o.offered_until > clock_timestamp()))))
        ELSE :maximum END AS amount
    FROM (SELECT) AS one LEFT JOIN circuit c ON c.cluster_id = :cluster
)
"""
"""The part of the offering statement that says how many operations the cluster may be sent."""

_PROBE: Final = Statement("""
SELECT pg_notify('stratoplane_operation', CAST(c.cluster_id AS text)) FROM circuit c
WHERE c.trips > 0 AND c.open_until < clock_timestamp()
""")


# The trial alone decides: what was taken on before the circuit opened tells nothing of the provider now.
_ACCEPTED: Final = Statement("""
WITH closed AS (
    UPDATE circuit c SET trips = 0, open_until = NULL, budget = :budget / 2, changed_at = clock_timestamp()
    WHERE c.cluster_id = :cluster AND c.trips > 0 AND c.open_until < clock_timestamp()
        AND EXISTS (SELECT FROM operation o
            JOIN jsonb_to_recordset(CAST(:operations AS jsonb)) AS w(id uuid, epoch bigint) USING (id, epoch)
            WHERE o.cluster_id = c.cluster_id AND o.state = 'RUNNING' AND o.acknowledged_at > c.open_until)
    RETURNING c.cluster_id
)
SELECT cluster_id, pg_notify('stratoplane_operation', CAST(cluster_id AS text)) FROM closed
""")


def close_accepted(connection: Connection, cluster_id: UUID, accepted: Sequence[OperationReference]) -> bool:
    """Close a circuit whose trial the provider has accepted and works on; tell whether it was."""
    parameters = {"cluster": cluster_id, "operations": dump_json(accepted), "budget": LIMITS["budget"]}
    return bool(connection.documents(_ACCEPTED, parameters))


def let_probes_through(connection: Connection) -> int:
    """Wake the agents of clusters whose circuit has been open long enough; return how many clusters."""
    return len(connection.documents(_PROBE))
