# SPDX-License-Identifier: Apache-2.0
"""The accepting statement: quota, placement claim, resource, links, job, steps, audit, outbox and idempotency at once.

Rows are locked in one order everywhere, so that no two transactions wait for each other in a circle:
job, the changed resource, resources that it uses, quota (by scope and key), cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson
import psycopg

from stratoplane.crashpoints import crashpoint
from stratoplane.kinds import Spec
from stratoplane.resources import READY, ResourceStatus
from stratoplane_engine.accounting import ClaimChange, QuotaChange
from stratoplane_engine.db.connection import Connection, Parameters, dump_json, read
from stratoplane_engine.db.resources import read_resource
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.kinds.catalogue import Kinds
from stratoplane_engine.model.audit import AuditEvent
from stratoplane_engine.model.change import ChangePlan, ChangeResult, JobResult, StoredAnswer
from stratoplane_engine.model.job import Job
from stratoplane_engine.model.resource import Resource

OUTBOX_CHANNEL: Final = "stratoplane_outbox"

_RESERVE: Final = """
draft AS MATERIALIZED (SELECT CAST(:draft AS jsonb) AS d),
link AS MATERIALIZED (SELECT k.* FROM draft, jsonb_populate_recordset(NULL::resource_link, d->'links') AS k),
-- What a new link points at must still be usable once nobody else is at it: a deletion may have come in between.
usable AS MATERIALIZED (
    SELECT r.id FROM resource r JOIN link k ON k.organization_id = r.organization_id AND k.target_id = r.id
    WHERE r.organization_id = :organization AND r.deleted_at IS NULL AND (r.status = ANY(:usable) OR EXISTS (
        SELECT FROM resource_link l WHERE l.organization_id = k.organization_id AND l.source_id = k.source_id
            AND l.target_id = k.target_id AND l.role = k.role))
    ORDER BY r.id FOR KEY SHARE OF r
),
wanted AS MATERIALIZED (
    SELECT w.scope_id, w.key, w.amount
    FROM draft, jsonb_to_recordset(d->'quota') AS w(scope_id uuid, key text, amount bigint)
),
locked AS MATERIALIZED (
    SELECT q.organization_id, q.scope_id, q.key, q.limit_amount, q.used, w.amount
    FROM quota q JOIN wanted w USING (scope_id, key)
    WHERE q.organization_id = :organization AND (SELECT count(*) FROM usable) >= 0
    ORDER BY q.scope_id, q.key FOR UPDATE OF q
),
reserved AS (
    UPDATE quota q SET used = q.used + l.amount FROM locked l
    WHERE q.organization_id = l.organization_id AND q.scope_id = l.scope_id AND q.key = l.key
        AND (l.amount <= 0 OR q.limit_amount = -1 OR q.used + l.amount <= q.limit_amount)
    RETURNING q.scope_id, q.key
),
held AS MATERIALIZED (SELECT count(*) AS rows FROM reserved),
claimed AS (
    UPDATE cluster c SET vcpus_claimed = c.vcpus_claimed + k.vcpus,
        memory_mib_claimed = c.memory_mib_claimed + k.memory_mib,
        storage_gib_claimed = c.storage_gib_claimed + k.storage_gib
    FROM draft, held,
        jsonb_to_record(nullif(d->'claim', 'null'))
            AS k(cluster_id uuid, vcpus bigint, memory_mib bigint, storage_gib bigint)
    WHERE c.id = k.cluster_id AND c.deleted_at IS NULL AND held.rows >= 0
        AND (k.vcpus <= 0 OR c.vcpus_claimed + k.vcpus <= c.vcpus_total)
        AND (k.memory_mib <= 0 OR c.memory_mib_claimed + k.memory_mib <= c.memory_mib_total)
        AND (k.storage_gib <= 0 OR c.storage_gib_claimed + k.storage_gib <= c.storage_gib_total)
    RETURNING c.id
)
"""
_INSERT_RESOURCE: Final = """
resource_written AS (
    INSERT INTO resource (id, organization_id, project_id, kind, name, status, labels, spec, quota_usage, cluster_id,
        created_at, updated_at)
    SELECT r.id, r.organization_id, r.project_id, r.kind, r.name, r.status, r.labels, r.spec, r.quota_usage,
        r.cluster_id, r.created_at, r.created_at
    FROM draft, jsonb_populate_record(NULL::resource, d->'resource') AS r
    RETURNING *
)
"""
_UPDATE_RESOURCE: Final = """
resource_written AS (
    UPDATE resource o SET name = r.name, status = r.status, labels = r.labels, spec = r.spec,
        quota_usage = r.quota_usage, generation = r.generation, version = o.version + 1, updated_at = r.updated_at,
        deleted_at = r.deleted_at,
        detail = r.detail
    FROM draft, jsonb_populate_record(NULL::resource, d->'resource') AS r
    WHERE o.organization_id = r.organization_id AND o.id = r.id
    RETURNING o.*
)
"""
_REST: Final = """
revision_written AS (
    INSERT INTO resource_revision (organization_id, project_id, resource_id, kind, generation, status, spec,
        quota_usage)
    SELECT organization_id, project_id, id, kind, generation, status, spec, quota_usage FROM resource_written
),
links_written AS (
    INSERT INTO resource_link (organization_id, source_id, target_id, role, position)
    SELECT k.organization_id, k.source_id, k.target_id, k.role, k.position FROM link k
    ON CONFLICT (organization_id, source_id, role, target_id) DO UPDATE SET position = EXCLUDED.position
),
job_written AS (
    INSERT INTO job (id, organization_id, project_id, resource_id, resource_kind, resource_name, cluster_id, kind,
        input, deadline_at, actor, request_id, trace_parent, created_at, next_run_at)
    SELECT j.id, j.organization_id, j.project_id, j.resource_id, j.resource_kind, j.resource_name, j.cluster_id, j.kind,
        j.input, j.deadline_at, j.actor, j.request_id, j.trace_parent, j.created_at, j.created_at
    FROM draft, jsonb_populate_record(NULL::job, nullif(d->'job', 'null')) AS j WHERE j.id IS NOT NULL
    RETURNING id, organization_id
),
steps_written AS (
    INSERT INTO job_step (organization_id, job_id, position, name)
    SELECT j.organization_id, j.id, s.position, s.name
    FROM draft, job_written j, jsonb_to_recordset(d->'job'->'steps') AS s(position int, name text)
),
audit_written AS (
    INSERT INTO audit_event (id, organization_id, project_id, action, outcome, actor, subject_id, subject_name,
        request_id, trace_id, detail, occurred_at)
    SELECT a.id, a.organization_id, a.project_id, a.action, a.outcome, a.actor, a.subject_id, a.subject_name,
        a.request_id, a.trace_id, a.detail, a.occurred_at
    FROM draft, jsonb_populate_record(NULL::audit_event, d->'audit') AS a
),
answer_written AS (
    INSERT INTO idempotency (organization_id, actor_id, key, fingerprint, answer, expires_at)
    SELECT i.organization_id, i.actor_id, i.key, i.fingerprint, i.answer, i.expires_at
    FROM draft, jsonb_populate_record(NULL::idempotency, nullif(d->'answer', 'null')) AS i WHERE i.key IS NOT NULL
    ON CONFLICT (organization_id, actor_id, key) DO UPDATE SET fingerprint = EXCLUDED.fingerprint,
        answer = EXCLUDED.answer, expires_at = EXCLUDED.expires_at,
        created_at = clock_timestamp() WHERE idempotency.expires_at < clock_timestamp()
    RETURNING key
),
outbox_written AS (
    INSERT INTO outbox (topic, payload) SELECT 'job', jsonb_build_object('job_id', id) FROM job_written
),
refusal AS MATERIALIZED (
    SELECT (SELECT jsonb_agg(to_jsonb(w) || jsonb_build_object('limit', l.limit_amount, 'used', l.used))
            FROM wanted w LEFT JOIN locked l USING (scope_id, key) WHERE NOT EXISTS
            (SELECT FROM reserved r WHERE r.scope_id = w.scope_id AND r.key = w.key)) AS short,
        (SELECT jsonb_agg(k.target_id) FROM link k WHERE NOT EXISTS (SELECT FROM usable u WHERE u.id = k.target_id))
            AS gone,
        (d->'claim' ? 'cluster_id') AND NOT EXISTS (SELECT FROM claimed) AS no_room,
        (d->'answer' ? 'key') AND NOT EXISTS (SELECT FROM answer_written) AS key_taken,
        (SELECT count(*) FROM resource_written) AS written
    FROM draft
)
SELECT CASE WHEN r.short IS NOT NULL OR r.gone IS NOT NULL OR r.no_room OR r.key_taken
        THEN refuse_change(to_jsonb(r)) END,
    (SELECT pg_notify('stratoplane_outbox', '') FROM job_written)
FROM refusal r
"""
_CREATE: Final = Statement(f"WITH {_RESERVE}, {_INSERT_RESOURCE}, {_REST}")
_CHANGE: Final = Statement(f"WITH {_RESERVE}, {_UPDATE_RESOURCE}, {_REST}")
_KEEP_ANSWER: Final = Statement("""
INSERT INTO idempotency (organization_id, actor_id, key, fingerprint, answer, expires_at)
SELECT i.organization_id, i.actor_id, i.key, i.fingerprint, i.answer, i.expires_at
FROM jsonb_populate_record(NULL::idempotency, CAST(:answer AS jsonb)) AS i
ON CONFLICT (organization_id, actor_id, key) DO NOTHING
""")
_STORED_ANSWER: Final = Statement("""
SELECT i.fingerprint, i.answer FROM idempotency i WHERE i.organization_id = :organization AND i.actor_id = :actor
    AND i.key = :key AND i.expires_at > clock_timestamp()
""")
_USABLE: Final = sorted({ResourceStatus.PENDING.value, *(status.value for status in READY)})


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkRow:
    """A "uses" of the resource; ``pointer`` is the request's member that asks for it."""

    organization_id: UUID
    source_id: UUID
    target_id: UUID
    role: str
    position: int
    pointer: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerRow:
    """An answer that is kept for the caller's idempotency key."""

    organization_id: UUID
    actor_id: UUID
    key: str
    fingerprint: str
    answer: ChangeResult | JobResult
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeRows:
    """Everything that a change writes; None where there is no such row.

    Attributes:
        is_new: whether the resource is inserted.
        claim: one of nothing still makes sure that the cluster is not deleted meanwhile; new resources make one.
        links: everything that the resource uses from now on; links that it has and that are not here are kept.
    """

    resource: Resource[Spec]
    audit: AuditEvent
    is_new: bool = False
    quota: tuple[QuotaChange, ...] = ()
    claim: ClaimChange | None = None
    links: tuple[LinkRow, ...] = ()
    job: Job | None = None
    answer: AnswerRow | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ShortQuota:
    """A line of a quota that ``amount`` more did not fit in; no ``limit`` means that the scope is gone."""

    scope_id: UUID
    key: str
    amount: int
    limit: int | None = None
    used: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """What did not fit.

    Attributes:
        short: quota lines that did not fit.
        gone: ids of what was to be used and cannot be any more.
        no_room: whether the cluster has filled up.
        key_taken: whether the idempotency key is that of an answer which was committed in between.
    """

    short: tuple[ShortQuota, ...] | None = None
    gone: tuple[UUID, ...] | None = None
    no_room: bool = False
    key_taken: bool = False


class RefusedError(Exception):
    """Something does not fit any more; nothing was written and the transaction is lost."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__("refused")
        self.refusal: Final = refusal


def write_change(connection: Connection, rows: ChangeRows) -> None:
    """Write everything in one statement, and end the transaction with it.

    The rows of quotas are where the creates of a project meet: they are held until the commit, which therefore goes
    with the statement and does not wait for this process to come back. So it is the statement that refuses.

    Raises:
        RefusedError: something did not fit.
        psycopg.IntegrityError: a name or a volume is taken; the constraint's name tells.
    """
    try:
        crashpoint("api-before-commit")
        connection.commit_with(_statement(rows), _parameters(rows))
        crashpoint("api-after-commit")
    except psycopg.errors.RaiseException as error:
        raise _refused(error) from error


def try_change(connection: Connection, rows: ChangeRows) -> None:
    """Write everything as :func:`write_change` does, and leave it to the caller to take it back. Raises alike."""
    try:
        connection.run(_statement(rows), _parameters(rows))
    except psycopg.errors.RaiseException as error:
        raise _refused(error) from error


def _statement(rows: ChangeRows) -> Statement:
    return _CREATE if rows.is_new else _CHANGE


def _parameters(rows: ChangeRows) -> Parameters:
    return {"draft": dump_json(rows), "organization": rows.resource.organization_id, "usable": _USABLE}


def _refused(error: psycopg.errors.RaiseException) -> RefusedError:
    return RefusedError(read(Refusal, orjson.loads(error.diag.message_detail or "{}")))


def keep_answer(connection: Connection, answer: AnswerRow) -> None:
    """Write the answer to a request that changed nothing, unless its key has one."""
    connection.run(_KEEP_ANSWER, {"answer": dump_json(answer)})


def stored_answer(connection: Connection, organization_id: UUID, actor_id: UUID, key: str) -> StoredAnswer | None:
    """Return the answer of an idempotency key, None when the key is new or has expired."""
    return connection.first(
        StoredAnswer, _STORED_ANSWER, {"organization": organization_id, "actor": actor_id, "key": key}
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _KeptChange:
    resource: Mapping[str, object]
    job: Job | None
    plan: ChangePlan


def read_change(kinds: Kinds, answer: Mapping[str, object]) -> ChangeResult:
    """Return the answer to a change of a resource that was kept for an idempotency key."""
    kept = read(_KeptChange, answer)
    return ChangeResult(resource=read_resource(kinds, kept.resource), job=kept.job, plan=kept.plan, replayed=True)


def read_job_result(_kinds: Kinds, answer: Mapping[str, object]) -> JobResult:
    """Return the answer to a request about a job that was kept for an idempotency key."""
    return JobResult(job=read(Job, answer["job"]), replayed=True)
