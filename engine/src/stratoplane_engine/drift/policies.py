# SPDX-License-Identifier: Apache-2.0
"""What the policies do about differences that last: correct by a job, adopt, or leave to a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from stratoplane.compared_fields import DriftPolicy
from stratoplane.ids import new_id
from stratoplane.quota import Amount, QuotaKey
from stratoplane.resources import ResourceStatus
from stratoplane_engine.accounting import ClaimChange, QuotaChange, claim_change, quota_changes
from stratoplane_engine.db import accounts, audit, comparison, drift, incidents
from stratoplane_engine.db.connection import Connection
from stratoplane_engine.drift.findings import ACTOR, adopted_record, drift_key, kind_broken, values
from stratoplane_engine.kinds.catalogue import Kinds
from stratoplane_engine.kinds.observed import SeenObject, Statuses, read_statuses
from stratoplane_engine.model.drift import Adoption, Difference, NewJob
from stratoplane_engine.workflows.catalogue import step_names
from stratoplane_engine.workflows.clustered import CORRECT

_MOST_CORRECTIONS: Final = 3
_BACKGROUND: Final = -10


def needs_person(difference: Difference) -> bool:
    """Tell whether a person has to look: as the policy says, or since nothing else helps."""
    if difference.policy is DriftPolicy.ADOPT:
        growth = _growth(difference)
        return growth is None or growth < 0
    return difference.policy is DriftPolicy.ALERT or difference.corrections >= _MOST_CORRECTIONS


def correct(connection: Connection, differences: Sequence[Difference]) -> int:
    """Start one job for each resource that is at rest; return how many."""
    at_rest = drift.lock_at_rest(connection, list({each.id for each in differences}))
    together: dict[UUID, list[Difference]] = {}
    for each in differences:
        if each.id in at_rest:
            together.setdefault(each.id, []).append(each)
    if not together:
        return 0
    jobs = {resource_id: _job(found, connection.kinds) for resource_id, found in together.items()}
    comparison.start_jobs(connection, list(jobs.values()))
    pairs = [
        (each.drift_id, jobs[each.id].id) for found in together.values() for each in found if each.drift_id is not None
    ]
    drift.mark_corrections(connection, pairs)
    return len(jobs)


def _job(differences: Sequence[Difference], kinds: Kinds) -> NewJob:
    first, kind = differences[0], f"{differences[0].kind}.{CORRECT}"
    return NewJob(
        id=new_id(),
        organization_id=first.organization_id,
        project_id=first.project_id,
        resource_id=first.id,
        resource_kind=first.kind,
        resource_name=first.name,
        cluster_id=first.cluster_id,
        kind=kind,
        input={"drift": {field: value for each in differences for field, value in values(each).items()}},
        actor=ACTOR,
        priority=_BACKGROUND,
        steps=step_names(kind, kinds),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Adopted:
    """How many differences became what is desired, and the kinds that could not say what that means."""

    count: int = 0
    broken: frozenset[str] = frozenset()


def adopt(connection: Connection, differences: Sequence[Difference]) -> Adopted:
    """Let what is observed be what is desired, also where that is more than a quota allows: it is there.

    One field of a resource at a time and nothing else of it; another of its fields is compared again first. What its
    kind breaks on stays a difference.
    """
    first_of_each = {each.id: each for each in reversed(differences)}
    at_rest = drift.lock_at_rest(connection, list(first_of_each))
    statuses = read_statuses(connection.kinds, [_seen(each) for each in first_of_each.values() if each.id in at_rest])
    incidents.report(connection, *map(kind_broken, statuses.broken.values()))
    taken = [first_of_each[resource_id] for resource_id in statuses.of]
    if taken:
        _adopt(connection, taken, statuses)
    return Adopted(count=len(taken), broken=frozenset(statuses.broken))


def _adopt(connection: Connection, taken: Sequence[Difference], statuses: Statuses) -> None:
    drift.adopt(
        connection,
        [_adoption(each, each.drift_id, statuses.of[each.id]) for each in taken if each.drift_id is not None],
    )
    quota: list[QuotaChange] = []
    claims: list[ClaimChange] = []
    for each in taken:
        if growth := _growth(each):
            change: Amount = {QuotaKey.STORAGE_GIB: growth}
            quota += quota_changes(each.organization_id, each.project_id, change)
            claims += [claim_change(each.cluster_id, change)] if each.cluster_id else []
    accounts.give_back(connection, quota, claims)
    incidents.resolve(connection, *map(drift_key, taken))
    audit.write(connection, *map(adopted_record, taken))


def _seen(difference: Difference) -> SeenObject:
    """Return the object as it was last observed, with the adopted field and no other as it is now."""
    observed = {**(difference.shown or {}), difference.field: difference.observed}
    return SeenObject(id=difference.id, kind=difference.kind, observed=observed)


def _adoption(difference: Difference, drift_id: UUID, status: ResourceStatus) -> Adoption:
    return Adoption(
        drift_id=drift_id,
        id=difference.id,
        field=difference.field,
        observed=difference.observed,
        storage_gib=_growth(difference) or 0,
        status=status,
    )


def _growth(difference: Difference) -> int | None:
    """Return the GiB that the observed object has more than is desired; None when its size cannot be compared."""
    if difference.field != "size_gib":
        return 0
    if isinstance(difference.observed, int) and isinstance(difference.desired, int):
        return difference.observed - difference.desired
    return None
