# SPDX-License-Identifier: Apache-2.0
"""Claiming: a worker takes runnable jobs, with everything that their steps may look at, in one statement."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from stratoplane.kinds import Observed
from stratoplane.quota import Amount
from stratoplane.resources import ResourceStatus
from stratoplane_engine.db.connection import Connection, Document, read
from stratoplane_engine.db.job_states import AHEAD, IS_HELD, LIVE_STATES
from stratoplane_engine.db.jobs import JOB_STEPS
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.job import ClaimedOperation, JobError, JobStep, LinkedTarget

LEASE_SECONDS: Final = 30.0

CLAIMED: Final = f"""
SELECT j.id, j.organization_id, j.project_id, j.kind, j.input, j.position, j.undoing, j.attempts, j.epoch, j.crashes,
    j.share, j.error, j.priority, j.cancelled_by,
    j.deadline_at < clock_timestamp() AS overdue, j.actor, j.request_id, j.trace_parent, j.cluster_id,
    to_jsonb(r) AS resource, {JOB_STEPS},
    (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'id', t.id, 'kind', t.kind, 'name', t.name, 'status', t.status)), '[]')
        FROM resource_link l JOIN resource t ON t.organization_id = l.organization_id AND t.id = l.target_id
        WHERE l.organization_id = j.organization_id AND l.source_id = j.resource_id) AS targets,
    (SELECT jsonb_build_object('id', o.id, 'position', o.position, 'verb', o.verb, 'state', o.state, 'result', o.result)
        FROM operation o WHERE o.job_id = j.id ORDER BY o.id DESC LIMIT 1) AS operation
FROM claimed j JOIN resource r ON r.organization_id = j.organization_id AND r.id = j.resource_id
"""
_WAITS: Final = f"j.state IN {LIVE_STATES} AND j.next_run_at IS NOT NULL AND j.lease_until IS NULL"
_DUE: Final = f"""
    j.next_run_at <= clock_timestamp() AND NOT {IS_HELD} AND NOT EXISTS (SELECT {AHEAD})
"""
# Organizations take turns, whatever each has waiting: beginning anywhere, one look into the index for each of them.
_TURNS: Final = f"""
after AS (
    SELECT CAST(:start AS uuid) AS id
    UNION ALL
    SELECT (SELECT j.organization_id FROM job j WHERE {_WAITS} AND j.organization_id > a.id
        ORDER BY j.organization_id LIMIT 1) FROM after a WHERE a.id IS NOT NULL
),
before AS (
    SELECT CAST('{UUID(int=0)}' AS uuid) AS id
    UNION ALL
    SELECT (SELECT j.organization_id FROM job j WHERE {_WAITS} AND j.organization_id > b.id
        AND j.organization_id <= :start ORDER BY j.organization_id LIMIT 1) FROM before b WHERE b.id IS NOT NULL
),
turn AS MATERIALIZED (
    SELECT id, CAST(ceil(CAST(:limit AS numeric) / count(*) OVER ()) AS bigint) AS share FROM (
        SELECT id FROM after WHERE id <> :start UNION ALL SELECT id FROM before WHERE id <> '{UUID(int=0)}' LIMIT :limit
    ) AS waiting
)
"""
# A job whose lease ran out may be what killed its worker. It is taken alone, so that it takes no other with it.
_CLAIM: Final = Statement(f"""
WITH RECURSIVE {_TURNS},
fresh AS MATERIALIZED (
    SELECT own.id, turn.share FROM turn CROSS JOIN LATERAL (
        SELECT j.id FROM job j WHERE j.organization_id = turn.id AND {_WAITS} AND {_DUE}
        ORDER BY j.priority DESC, j.next_run_at LIMIT turn.share FOR UPDATE OF j SKIP LOCKED
    ) AS own
),
suspect AS MATERIALIZED (
    SELECT j.id FROM job j WHERE j.state IN {LIVE_STATES} AND j.lease_until < clock_timestamp() AND {_DUE}
    ORDER BY j.next_run_at LIMIT 1 FOR UPDATE OF j SKIP LOCKED
),
claimed AS (
    UPDATE job j SET state = 'RUNNING', epoch = j.epoch + 1, lease_owner = :owner,
        crashes = j.crashes + CASE WHEN j.lease_until IS NULL THEN 0 ELSE 1 END,
        lease_until = clock_timestamp() + make_interval(secs => :lease),
        started_at = coalesce(j.started_at, clock_timestamp())
    FROM (SELECT id, share FROM fresh UNION ALL SELECT id, 1 FROM suspect) AS runnable
    WHERE j.id = runnable.id RETURNING j.*, runnable.share
)
{CLAIMED}
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A job that a worker has taken.

    Attributes:
        crashes: how many claims before this one ended without an answer.
        share: how many jobs its organization could get in this claim.
        row: everything else. It is read job by job, since another version of the platform may have written a job that
            makes no sense here, and it must not hold up those claimed with it.
    """

    id: UUID
    organization_id: UUID
    kind: str
    crashes: int
    share: int
    row: Document = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimedResource:
    """The resource of a claimed job; ``spec`` is JSON that its kind reads."""

    id: UUID
    kind: str
    name: str
    status: ResourceStatus
    spec: Mapping[str, object]
    observed: Observed
    quota_usage: Amount
    generation: int
    observed_generation: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimRow:
    """The row of a claimed job; ``input`` is JSON that the jobs' engine reads."""

    id: UUID
    organization_id: UUID
    project_id: UUID
    cluster_id: UUID | None
    kind: str
    input: Mapping[str, object]
    position: int
    undoing: bool
    attempts: int
    epoch: int
    error: JobError | None
    priority: int
    cancelled_by: str
    overdue: bool
    actor: str
    request_id: str
    trace_parent: str
    resource: ClaimedResource
    steps: tuple[JobStep, ...]
    targets: tuple[LinkedTarget, ...]
    operation: ClaimedOperation | None


def claim(connection: Connection, *, owner: str, limit: int, start: UUID) -> list[Claim]:
    """Take up to ``limit`` runnable jobs with everything that their steps may look at, and commit.

    Organizations take turns from the id ``start`` on, with an equal ``share`` each; within one the higher priority goes
    first, then the longer wait. At most one more comes with ``crashes``: its lease ran out, and the caller moves it
    after the others, alone. Jobs of one resource run one after the other; the lease is on the database's clock and the
    epoch grows with each claim, so that a worker that was thought dead cannot write back.
    """
    parameters = {"owner": owner, "limit": limit, "lease": LEASE_SECONDS, "start": start}
    return [as_claim(row) for row in connection.commit_with(_CLAIM, parameters)]


def as_claim(row: Document) -> Claim:
    """Return the claim of a row of :data:`CLAIMED`."""
    return read(Claim, {**row, "row": row})
