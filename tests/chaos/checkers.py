# SPDX-License-Identifier: Apache-2.0
"""What must hold once the faults are over: invariants J1 to J12, audit, quotas, claims, and the provider's count."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from stratoplane.jobs import LIVE, TERMINAL, TRANSITIONS, JobState
from tests.chaos.tenants import Tally
from tests.chaos.tree import Tree

_LIVE: Final = "('" + "', '".join(sorted(LIVE)) + "')"
_TERMINAL: Final = "('" + "', '".join(sorted(TERMINAL)) + "')"
_AT_PROVIDER: Final = frozenset({"ACTIVE", "RUNNING", "STOPPED", "UPDATING"})
_GONE: Final = frozenset({"DELETED", "FAILED"})


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that must not be.

    Attributes:
        mark: the figure that it counts for: lost, duplicated, orphaned, stuck or broken.
        invariant: J1 to J12, or audit.
        subject: id of the job or resource.
    """

    mark: str
    invariant: str
    subject: str
    what: str


def check(tree: Tree, tally: Tally) -> list[Finding]:
    """Return everything that is wrong; the tree is quiet, or was given all its time to become so."""
    found = [finding for checker in _CHECKERS for finding in checker(tree)]
    found += _accepted(tree, tally)
    found += [Finding(mark="broken", invariant=each[:2], subject="", what=each) for each in tally.wrong]
    return found


def quiet(tree: Tree) -> bool:
    """Tell whether nothing is left to be done."""
    query = f"""SELECT (SELECT count(*) FROM job WHERE state IN {_LIVE})
        + (SELECT count(*) FROM operation WHERE state IN ('QUEUED', 'OFFERED', 'RUNNING'))
        + (SELECT count(*) FROM outbox)
        + (SELECT count(*) FROM audit_event e WHERE NOT EXISTS (SELECT FROM audit_leaf l WHERE l.event_id = e.id))
        AS open"""  # noqa: S608  # constants
    return tree.observer.rows(query)[0]["open"] == 0


def _accepted(tree: Tree, tally: Tally) -> Iterator[Finding]:
    """J1: what was answered with a job has that job."""
    known = {str(row["id"]) for row in tree.observer.rows("SELECT id FROM job")}
    for key, job in tally.accepted.items():
        if job not in known:
            yield Finding(mark="lost", invariant="J1", subject=job, what=f"accepted under key {key}, and gone")


def _unfinished(tree: Tree) -> Iterator[Finding]:
    """J2: no limbo."""
    jobs = f"""SELECT id, kind, state, next_run_at, lease_owner, lease_until, error FROM job
        WHERE state IN {_LIVE}"""  # noqa: S608  # constants
    for row in tree.observer.rows(jobs):
        yield Finding(mark="stuck", invariant="J2", subject=str(row["id"]), what=f"job does not end: {row}")
    operations = "SELECT id, job_id, state, verb FROM operation WHERE state IN ('QUEUED', 'OFFERED', 'RUNNING')"
    for row in tree.observer.rows(operations):
        yield Finding(mark="stuck", invariant="J2", subject=str(row["job_id"]), what=f"operation does not end: {row}")
    for row in tree.observer.rows("SELECT id, payload FROM outbox"):
        yield Finding(mark="stuck", invariant="J2", subject=str(row["id"]), what=f"never told: {row['payload']}")


def _transitions(tree: Tree) -> Iterator[Finding]:
    """J3: only legal moves; J6: nothing after the end."""
    query = """SELECT job, n, was, became, writer FROM chaos.job_event WHERE was IS NOT NULL ORDER BY n"""
    for row in tree.observer.rows(query):
        was, became = JobState(row["was"]), JobState(row["became"])
        if was in TERMINAL:
            what = f"job changed after its end: {row}"
            yield Finding(mark="broken", invariant="J6", subject=str(row["job"]), what=what)
        elif was is not became and became not in TRANSITIONS[was]:
            yield Finding(mark="broken", invariant="J3", subject=str(row["job"]), what=f"illegal move: {row}")


def _epochs(tree: Tree) -> Iterator[Finding]:
    """J4: epochs grow, a live lease is nobody else's, and only its owner writes back."""
    query = r"""
        SELECT *, CASE
            WHEN epoch_became < epoch_was THEN 'the epoch went back'
            WHEN epoch_became > epoch_was AND lease_became > at AND lease_was > at THEN 'claimed under a live lease'
            WHEN epoch_became = epoch_was AND owner_was <> '' AND owner_became = ''
                AND writer IS DISTINCT FROM substring(owner_was FROM ':(\d+)$') THEN 'written back by a stranger'
            END AS wrong
        FROM chaos.job_event WHERE was IS NOT NULL ORDER BY n"""
    for row in tree.observer.rows(f"SELECT * FROM ({query}) AS seen WHERE wrong IS NOT NULL"):  # noqa: S608  # constant
        yield Finding(mark="broken", invariant="J4", subject=str(row["job"]), what=f"{row['wrong']}: {row}")
    query = "SELECT * FROM chaos.operation_event WHERE epoch_became < epoch_was OR (was IN ('DONE', 'ABANDONED'))"
    for row in tree.observer.rows(query):
        what = f"an operation went back or changed after its end: {row}"
        yield Finding(mark="broken", invariant="J4", subject=str(row["job"]), what=what)


def _provider(tree: Tree) -> Iterator[Finding]:
    """J5: exactly one object of what is there, none of what is not, and no orphan."""
    query = """SELECT r.id, r.kind, r.name, r.status, (SELECT count(*) FROM leak l WHERE l.resource_id = r.id
            AND l.resolved_at IS NULL) AS leaks,
        (SELECT j.kind FROM job j WHERE j.resource_id = r.id ORDER BY j.created_at DESC, j.id DESC LIMIT 1) AS last
        FROM resource r WHERE r.cluster_id IS NOT NULL"""
    resources = {str(row["id"]): row for row in tree.observer.rows(query)}
    objects = tree.objects()
    there = Counter(each["uid"] for each in objects)
    for uid, row in resources.items():
        if (row["status"] in _AT_PROVIDER and there[uid] == 0) or row["status"] == "LOST":
            yield Finding(mark="lost", invariant="J5", subject=uid, what=f"not at the provider: {row}")
        undecided = row["leaks"] or (row["status"] == "FAILED" and str(row["last"]).endswith(".delete"))
        if row["status"] in _GONE and there[uid] and not undecided:
            yield Finding(mark="orphaned", invariant="J5", subject=uid, what=f"still at the provider: {row}")
    names = Counter(row["name"] for row in resources.values())
    for each in objects:
        if each["uid"] not in resources:
            mark = "duplicated" if names[each["name"]] else "orphaned"
            yield Finding(mark=mark, invariant="J5", subject=each["uid"], what=f"nobody's object: {each}")


def _permanent(tree: Tree) -> Iterator[Finding]:
    """J9: what the provider refused for good is not asked again."""
    query = """SELECT a.job_id, a.verb, b.id FROM operation a JOIN operation b ON b.job_id = a.job_id
        AND b.position = a.position AND b.verb = a.verb AND b.id > a.id
        WHERE a.state = 'DONE' AND a.result->>'outcome' = 'permanent'"""
    for row in tree.observer.rows(query):
        yield Finding(mark="broken", invariant="J9", subject=str(row["job_id"]), what=f"asked again: {row}")


def _cancelled(tree: Tree) -> Iterator[Finding]:
    """J10: what was cancelled before it began was never sent to a driver."""
    query = """SELECT j.id FROM job j WHERE j.state = 'CANCELLED' AND j.started_at IS NULL
        AND EXISTS (SELECT FROM operation o WHERE o.job_id = j.id)"""
    for row in tree.observer.rows(query):
        yield Finding(mark="broken", invariant="J10", subject=str(row["id"]), what="a driver was called all the same")


def _quotas(tree: Tree) -> Iterator[Finding]:
    """J11: used is what the resources hold, and never went over the limit."""
    query = """
        WITH held AS (
            SELECT r.organization_id, s.scope_id, h.key, sum(h.value::bigint) AS amount
            FROM resource r CROSS JOIN LATERAL (VALUES (r.organization_id), (r.project_id)) AS s(scope_id)
            CROSS JOIN LATERAL jsonb_each_text(r.quota_usage) AS h
            WHERE r.deleted_at IS NULL GROUP BY 1, 2, 3
        )
        SELECT q.scope_id, q.key, q.used, coalesce(h.amount, 0) AS held FROM quota q
        LEFT JOIN held h USING (organization_id, scope_id, key) WHERE q.used <> coalesce(h.amount, 0)"""
    for row in tree.observer.rows(query):
        yield Finding(mark="broken", invariant="J11", subject=str(row["scope_id"]), what=f"quota drifted: {row}")
    for row in tree.observer.rows("SELECT * FROM chaos.overshoot"):
        yield Finding(mark="broken", invariant="J11", subject=str(row["scope"]), what=f"quota overshot: {row}")


def _claims(tree: Tree) -> Iterator[Finding]:
    """J11: a cluster's claims are what its resources hold."""
    query = """
        SELECT * FROM (
            SELECT c.id, c.vcpus_claimed, c.memory_mib_claimed, c.storage_gib_claimed,
                coalesce(sum((r.quota_usage->>'vcpus')::bigint), 0) AS vcpus,
                coalesce(sum((r.quota_usage->>'memory_mib')::bigint), 0) AS memory_mib,
                coalesce(sum((r.quota_usage->>'storage_gib')::bigint), 0) AS storage_gib
            FROM cluster c LEFT JOIN resource r ON r.cluster_id = c.id AND r.deleted_at IS NULL GROUP BY c.id
        ) AS counted
        WHERE (vcpus_claimed, memory_mib_claimed, storage_gib_claimed) <> (vcpus, memory_mib, storage_gib)"""
    for row in tree.observer.rows(query):
        yield Finding(mark="broken", invariant="J11", subject=str(row["id"]), what=f"claims drifted: {row}")


def _compensated(tree: Tree) -> Iterator[Finding]:
    """J12: what failed holds nothing and uses nothing."""
    query = """SELECT r.id, r.kind, r.quota_usage FROM resource r JOIN LATERAL (
            SELECT j.kind FROM job j WHERE j.resource_id = r.id ORDER BY j.created_at DESC, j.id DESC LIMIT 1
        ) AS last ON true
        WHERE r.status = 'FAILED' AND last.kind LIKE '%.create' AND (r.quota_usage <> '{}' OR EXISTS
            (SELECT FROM resource_link l WHERE l.source_id = r.id))"""
    for row in tree.observer.rows(query):
        yield Finding(
            mark="broken", invariant="J12", subject=str(row["id"]), what=f"failed and still quota_usage: {row}"
        )


def _told(tree: Tree) -> Iterator[Finding]:
    """J8: whoever accepts a job leaves word of it in the same transaction; without, it waits for a sweep."""
    query = """SELECT b.job FROM chaos.job_event b WHERE b.was IS NULL
        AND NOT EXISTS (SELECT FROM chaos.told t WHERE t.job = b.job AND t.transaction = b.transaction)"""
    for row in tree.observer.rows(query):
        yield Finding(mark="broken", invariant="J8", subject=str(row["job"]), what="accepted, and nobody was told")


def _audit(tree: Tree) -> Iterator[Finding]:
    """Each accepted change and each end of a job has its event, once."""
    query = f"""SELECT j.id, j.kind, j.actor,
            (SELECT count(*) FROM audit_event e WHERE e.actor = 'engine' AND e.subject_id = j.resource_id
                AND e.detail->>'job_id' = j.id::text) AS ends,
            (SELECT count(*) FROM audit_event e WHERE e.subject_id = j.resource_id AND e.request_id = j.request_id
                AND e.action LIKE 'tenant:resource:%-accepted') AS acceptances
        FROM job j WHERE j.state IN {_TERMINAL}"""  # noqa: S608  # constants
    for row in tree.observer.rows(query):
        if row["ends"] != 1 or (row["actor"].startswith("user:") and row["acceptances"] != 1):
            yield Finding(mark="broken", invariant="audit", subject=str(row["id"]), what=f"events are missing: {row}")


def _sealed(tree: Tree) -> Iterator[Finding]:
    """Every event of the trail is what was sealed, and no seal was given twice; that all are sealed, quiet says."""
    for found in tree.observer.seals().findings:
        yield Finding(mark="broken", invariant="audit", subject=str(found.event_id or ""), what=found.problem)


_CHECKERS: Final[Sequence[Callable[[Tree], Iterator[Finding]]]] = (
    _unfinished,
    _transitions,
    _epochs,
    _provider,
    _permanent,
    _cancelled,
    _quotas,
    _claims,
    _compensated,
    _told,
    _audit,
    _sealed,
)
