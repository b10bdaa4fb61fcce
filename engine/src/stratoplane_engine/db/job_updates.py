# SPDX-License-Identifier: Apache-2.0
"""Writing what became of claimed jobs: they, their steps and driver calls, and what their ends make of resources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from stratoplane.jobs import JobState
from stratoplane.kinds import Link, Observed
from stratoplane.quota import Amount
from stratoplane.resources import ResourceStatus
from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.job_states import IS_CHANGE, LIVE_STATES
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.job import JobStep, OperationDraft

# Each only at its claim's epoch: whoever was thought dead and comes back writes nothing. Nothing is waited for beyond
# the job's deadline, at which it is looked at in any case.
_MOVE: Final = Statement(f"""
WITH verdict AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:moves AS jsonb)) AS v(id uuid, epoch bigint, state text, position int,
        undoing boolean, attempts bigint, next_run_in double precision, error jsonb, output jsonb, steps jsonb,
        operation jsonb)
),
moved AS (
    UPDATE job j SET state = v.state, position = v.position, undoing = v.undoing, attempts = v.attempts,
        error = v.error, output = coalesce(v.output, j.output), lease_until = NULL, lease_owner = '', crashes = 0,
        next_run_at = CASE WHEN j.deadline_at > clock_timestamp()
                AND j.deadline_at < clock_timestamp() + make_interval(secs => v.next_run_in)
            THEN j.deadline_at ELSE clock_timestamp() + make_interval(secs => v.next_run_in) END,
        finished_at = CASE WHEN v.state IN {LIVE_STATES} THEN NULL ELSE clock_timestamp() END
    FROM verdict v WHERE j.id = v.id AND j.epoch = v.epoch AND j.state IN {LIVE_STATES}
    RETURNING j.id, v.steps, v.operation
),
steps_moved AS (
    UPDATE job_step s SET state = v.state, attempts = v.attempts, output = coalesce(v.output, s.output),
        error = v.error, started_at = coalesce(s.started_at, clock_timestamp()),
        finished_at = CASE WHEN v.state IN ('DONE', 'UNDONE', 'FAILED') THEN clock_timestamp() END
    FROM moved m, jsonb_to_recordset(m.steps) AS v(position int, state text, attempts bigint, output jsonb, error jsonb)
    WHERE s.job_id = m.id AND s.position = v.position
),
offered AS (
    INSERT INTO operation (id, organization_id, job_id, position, cluster_id, resource_id, kind, verb, spec,
        observe_first, timeout_seconds, trace_parent, priority, deadline_at)
    SELECT o.id, o.organization_id, o.job_id, o.position, o.cluster_id, o.resource_id, o.kind, o.verb, o.spec,
        o.observe_first, o.timeout_seconds, o.trace_parent, o.priority,
        clock_timestamp() + make_interval(secs => o.timeout_seconds)
    FROM moved m, jsonb_populate_record(NULL::operation, m.operation) AS o WHERE o.id IS NOT NULL
    RETURNING cluster_id
),
told AS MATERIALIZED (
    SELECT pg_notify('stratoplane_operation', cluster_id::text)
    FROM (SELECT DISTINCT cluster_id FROM offered) AS clusters
)
SELECT id, (SELECT count(*) FROM told) AS told FROM moved
""")
_OUTCOMES: Final = """
outcome AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:outcomes AS jsonb)) AS s(id uuid, organization_id uuid, status text,
        observed jsonb, provider_reference text, quota_usage jsonb, spec jsonb, name text, detail text,
        generation bigint, observed_generation bigint, keep jsonb)
)
"""
# A change or deletion that was accepted meanwhile has the last word on what is desired. It is either a live job that
# this statement sees, or a later generation of the row, which is read after its lock was waited for.
_SETTLE: Final = Statement(f"""
WITH {_OUTCOMES},
before AS MATERIALIZED (
    SELECT r.id, r.quota_usage, r.status,
        r.status IN ('UPDATING', 'DELETING') AND (e.id IS NOT NULL OR r.generation > s.generation) AS overtaken,
        EXISTS (SELECT FROM resource o WHERE o.organization_id = r.organization_id AND o.project_id = r.project_id
            AND o.kind = r.kind AND o.name = s.name AND o.id <> r.id AND o.deleted_at IS NULL) AS name_taken
    FROM resource r JOIN outcome s ON r.organization_id = s.organization_id AND r.id = s.id
    LEFT JOIN LATERAL (SELECT e.id FROM job e WHERE e.resource_id = s.id AND e.state IN {LIVE_STATES}
        AND ({IS_CHANGE} OR e.kind LIKE '%.delete') LIMIT 1) AS e ON true
    ORDER BY r.id FOR NO KEY UPDATE OF r
),
settled AS (
    UPDATE resource r SET
        status = CASE WHEN b.overtaken THEN b.status ELSE coalesce(s.status, r.status) END,
        observed = coalesce(s.observed, r.observed),
        provider_reference = coalesce(s.provider_reference, r.provider_reference),
        quota_usage = CASE WHEN b.overtaken AND s.status <> 'FAILED' THEN r.quota_usage
            ELSE coalesce(s.quota_usage, r.quota_usage) END,
        spec = CASE WHEN b.overtaken THEN r.spec ELSE coalesce(s.spec, r.spec) END,
        name = CASE WHEN b.overtaken OR b.name_taken THEN r.name ELSE coalesce(s.name, r.name) END,
        detail = coalesce(s.detail, r.detail),
        observed_generation = coalesce(s.observed_generation, r.observed_generation),
        version = r.version + 1, updated_at = clock_timestamp(),
        deleted_at = CASE WHEN s.status = 'DELETED' AND NOT b.overtaken THEN clock_timestamp() ELSE r.deleted_at END
    FROM outcome s JOIN before b USING (id) WHERE r.organization_id = s.organization_id AND r.id = s.id
    RETURNING r.organization_id, r.project_id, r.id, r.kind, r.cluster_id, r.generation, r.status, r.spec,
        r.quota_usage, b.quota_usage AS previous_usage, b.overtaken, s.status AS wanted
),
recorded AS (
    INSERT INTO resource_revision (organization_id, project_id, resource_id, kind, generation, status, spec,
        quota_usage)
    SELECT organization_id, project_id, id, kind, generation, status, spec, quota_usage FROM settled
)
SELECT id, organization_id, project_id, cluster_id, quota_usage, previous_usage, overtaken,
    coalesce(overtaken AND wanted <> 'FAILED', false) AS links_stay FROM settled
""")
# The change that waits behind a failed one, where that is the next of the resource's, and what it is to lead to: the
# desired state that the change behind it began from, or else what is desired now.
_FOLLOWING: Final = Statement(f"""
WITH {_OUTCOMES}
SELECT n.id, n.kind, r.kind AS resource_kind, s.spec AS spec_before, s.name AS name_before,
    coalesce(a.before->'spec', r.spec) AS spec, coalesce(a.before->>'name', r.name) AS name, n.drift
FROM outcome s JOIN resource r ON r.organization_id = s.organization_id AND r.id = s.id
CROSS JOIN LATERAL (SELECT e.id, e.kind, e.input->'drift' AS drift, e.created_at FROM job e
    WHERE e.resource_id = s.id AND e.state IN {LIVE_STATES} AND e.input ? 'before'
    ORDER BY e.created_at, e.id LIMIT 1) AS n
LEFT JOIN LATERAL (SELECT e.input->'before' AS before FROM job e
    WHERE e.resource_id = s.id AND e.state IN {LIVE_STATES} AND e.input ? 'before'
        AND (e.created_at, e.id) > (n.created_at, n.id)
    ORDER BY e.created_at, e.id LIMIT 1) AS a ON true
""")
_HANDED: Final = (
    "handed AS (SELECT * FROM jsonb_to_recordset(CAST(:handed AS jsonb)) AS h(id uuid, before jsonb, steps jsonb))"
)
_HAND_ON: Final = Statement(f"""
WITH {_HANDED},
cleared AS (DELETE FROM job_step s USING handed h WHERE s.job_id = h.id)
UPDATE job j SET input = j.input || jsonb_build_object('before', h.before) FROM handed h WHERE j.id = h.id
""")
_GIVE_STEPS: Final = Statement(f"""
WITH {_HANDED}
INSERT INTO job_step (organization_id, job_id, position, name)
SELECT j.organization_id, j.id, s.number - 1, s.name
FROM handed h JOIN job j ON j.id = h.id, jsonb_array_elements_text(h.steps) WITH ORDINALITY AS s(name, number)
""")
_UNLINK: Final = Statement(f"""
WITH {_OUTCOMES}
DELETE FROM resource_link l USING outcome s
WHERE s.keep IS NOT NULL AND l.organization_id = s.organization_id AND l.source_id = s.id AND s.id = ANY(:ids)
    AND NOT EXISTS (SELECT FROM jsonb_to_recordset(s.keep) AS k(target_id uuid, role text)
        WHERE k.target_id = l.target_id AND k.role = l.role)
""")
_WAKE: Final = Statement(f"""
WITH finished AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:outcomes AS jsonb)) AS s(id uuid, organization_id uuid)
),
waiting AS (
    SELECT d.id FROM finished f JOIN job d ON d.resource_id = f.id WHERE d.state IN {LIVE_STATES}
    UNION
    SELECT d.id FROM finished f JOIN resource_link l ON l.organization_id = f.organization_id AND l.target_id = f.id
        JOIN job d ON d.resource_id = l.source_id WHERE d.state IN {LIVE_STATES}
),
locked AS MATERIALIZED (
    SELECT d.id FROM job d JOIN waiting w USING (id) WHERE d.next_run_at IS NOT NULL AND d.lease_until IS NULL
    ORDER BY d.id FOR NO KEY UPDATE OF d
),
woken AS (UPDATE job d SET next_run_at = clock_timestamp() FROM locked l WHERE d.id = l.id RETURNING d.id),
told AS (INSERT INTO outbox (topic, payload) SELECT 'job', jsonb_build_object('job_id', id) FROM woken RETURNING id)
SELECT pg_notify('stratoplane_outbox', '') FROM told LIMIT 1
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class JobMove:
    """What is written of a claimed job.

    Attributes:
        epoch: the claim's.
        next_run_in: seconds until a worker looks again; None while an agent has it, or at the end.
        error: its JSON form.
        output: None leaves the job's output as it is.
        steps: those that were touched.
        operation: a driver call to offer.
    """

    id: UUID
    epoch: int
    state: JobState
    position: int
    undoing: bool
    attempts: int
    next_run_in: float | None
    error: Mapping[str, object] | None
    output: Mapping[str, object] | None
    steps: tuple[JobStep, ...]
    operation: OperationDraft | None


@dataclass(frozen=True, kw_only=True, slots=True)
class OutcomeRow:
    """What is written of the resource of a job that has ended; None leaves a member as it is.

    Attributes:
        generation: as the job found it; a later one means that a later change has the last word.
        spec: a dataclass of the kind, or JSON values.
        keep: what it still uses; every other link is cut.
    """

    id: UUID
    organization_id: UUID
    generation: int
    status: ResourceStatus | None
    observed: Observed | None
    provider_reference: str | None
    quota_usage: Mapping[str, int] | None
    spec: object | None
    name: str | None
    detail: str | None
    keep: tuple[Link, ...] | None
    observed_generation: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SettledResource:
    """A resource after the end of its job.

    Attributes:
        quota_usage: what it takes of quotas now, and ``previous_usage`` what it took before.
        overtaken: whether a later change or deletion has the last word on what is desired.
        links_stay: whether that later one also needs the links that it has.
    """

    id: UUID
    organization_id: UUID
    project_id: UUID
    cluster_id: UUID | None
    quota_usage: Amount
    previous_usage: Amount
    overtaken: bool
    links_stay: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowingChange:
    """The change that waits behind a failed one of the same resource.

    Attributes:
        kind: of the job.
        spec_before, name_before: what it is to begin from now.
        spec, name: what it is to lead to.
        drift: as its input has it.
    """

    id: UUID
    kind: str
    resource_kind: str
    spec_before: Mapping[str, object]
    name_before: str
    spec: Mapping[str, object]
    name: str
    drift: Mapping[str, object] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class HandedOn:
    """What a following change gets: where it begins, JSON values, and the names of its steps, in order."""

    id: UUID
    before: Mapping[str, object]
    steps: tuple[str, ...]


def move(connection: Connection, moves: Sequence[JobMove]) -> frozenset[UUID]:
    """Write the jobs' new states with their steps and driver calls, each only at its claim's epoch.

    Agents that wait for driver calls are woken.

    Returns:
        The ids of the jobs that were still this worker's.
    """
    return frozenset(connection.values(UUID, _MOVE, {"moves": dump_json(moves)}))


def settle(connection: Connection, outcomes: Sequence[OutcomeRow]) -> list[SettledResource]:
    """Write what ended jobs make of their resources and, before the next statement, wake the jobs that waited for it.

    A resource that a later request has changed again keeps what that request wants.
    """
    if not outcomes:
        return []
    document = {"outcomes": dump_json(outcomes)}
    settled = connection.all(SettledResource, _SETTLE, document)
    connection.defer(_WAKE, document)
    if any(each.keep is not None for each in outcomes):
        connection.defer(_UNLINK, document | {"ids": [each.id for each in settled if not each.links_stay]})
    return settled


def following_changes(
    connection: Connection, outcomes: Sequence[OutcomeRow], settled: Sequence[SettledResource]
) -> list[FollowingChange]:
    """Return the changes that begin where a failed one began, since they wait behind it."""
    overtaken = {each.id for each in settled if each.overtaken}
    failed = [each for each in outcomes if each.spec is not None and each.id in overtaken]
    if not failed:
        return []
    return connection.all(FollowingChange, _FOLLOWING, {"outcomes": dump_json(failed)})


def hand_on(connection: Connection, handed: Sequence[HandedOn]) -> None:
    """Write, before the next statement, where changes begin that have not begun, and what steps they have."""
    if handed:
        connection.defer(_HAND_ON, {"handed": dump_json(handed)})
        connection.defer(_GIVE_STEPS, {"handed": dump_json(handed)})
