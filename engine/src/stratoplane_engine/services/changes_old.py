# SPDX-License-Identifier: Apache-2.0
"""What a create, a change, a deletion and an action do inside their one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from stratoplane.audit import AuditAction
from stratoplane.drivers import Feature
from stratoplane.errors import (
    InUseError,
    ResourceDeletedError,
    ResourceNotFoundError,
    StateConflictError,
)
from stratoplane.hookspecs import AdmissionRequest
from stratoplane.ids import new_id
from stratoplane.quota import Amount, QuotaKey, difference
from stratoplane.resources import CHANGEABLE, ResourceStatus
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.db import jobs as job_rows
from stratoplane_engine.db import resources as rows
from stratoplane_engine.db.changes import Acceptance, keep_answer
from stratoplane_engine.db.connection import Connection, LegacyRow
from stratoplane_engine.db.references import Surroundings, gather
from stratoplane_engine.kinds import wire_form
from stratoplane_engine.kinds.catalogue import KINDS
from stratoplane_engine.kinds.draft import Draft, Json, Kind, References
from stratoplane_engine.model.change import Accepted
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services import changes_rows_old as acceptance
from stratoplane_engine.services.placement import check_cluster, choose_cluster
from stratoplane_engine.services.versions import Versioned, check_version


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """What can be asked of a machine beside a change: the states in which it makes sense, and the ability it needs."""

    states: frozenset[ResourceStatus]
    feature: Feature


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a new resource's object comes from: what the job is called and given, and what the cluster must be able to.

    Attributes:
        verb: last part of the workflow's name.
        given: the job's input.
    """

    verb: str
    audited: AuditAction
    given: Json = field(default_factory=dict)
    features: frozenset[str] = frozenset()


MADE: Final = Origin(verb="create", audited=AuditAction.RESOURCE_CREATE_ACCEPTED)
"""The cluster's driver makes it."""

ACTIONS: Final[Mapping[str, Action]] = {
    "reboot": Action(states=frozenset({ResourceStatus.RUNNING}), feature=Feature.REBOOT),
    "read_console": Action(
        states=frozenset({ResourceStatus.RUNNING, ResourceStatus.STOPPED, ResourceStatus.UPDATING}),
        feature=Feature.CONSOLE_LOG,
    ),
}


def existing(
    connection: Connection,
    context: RequestContext,
    project_id: UUID,
    kind: str,
    identifier: UUID,
    *,
    lock: bool = False,
) -> dict[str, Any]:
    """Return the row of a live resource; raises ResourceNotFoundError or ResourceDeletedError."""
    row = rows.get(connection, context.organization_id, project_id, kind, identifier, lock=lock)
    words = kind.replace("_", " ")
    if row is None:
        raise ResourceNotFoundError(f"this project has no {words} {identifier}; list its {words}s")
    if row["deleted_at"] is not None:
        when = wire_form.instant(row["deleted_at"])
        raise ResourceDeletedError(f"{words} {row['name']} was deleted at {when}; create another one")
    return dict(row)


def _surroundings(
    connection: Connection,
    context: RequestContext,
    project_id: UUID,
    references: References,
    row: Mapping[str, Any] | None = None,
) -> Surroundings:
    found = gather(
        connection,
        references,
        organization_id=context.organization_id,
        project_id=project_id,
        actor_id=context.actor.id,
        idempotency_key=context.idempotency.key if context.idempotency and not context.dry_run else "",
        resource_id=row["id"] if row else None,
        cluster_id=row["cluster_id"] if row else None,
    )
    if found.project_name is None:
        raise ResourceNotFoundError(f"there is no project {project_id}; list the projects")
    return found


def _admission(
    context: RequestContext, action: str, row: Mapping[str, Any], spec: Json, previous_name: str | None = None
) -> AdmissionRequest:
    return AdmissionRequest(
        action=action,
        kind=row["kind"],
        name=row["name"],
        previous_name=previous_name,
        organization_id=context.organization_id,
        project_id=row["project_id"],
        actor=context.actor.name,
        spec=spec,
        labels=row["labels"],
    )


def _plain(amount: Amount) -> dict[str, int]:
    return {str(key): value for key, value in amount.items()}


def _amount(quota_usage: Mapping[str, int]) -> Amount:
    return {QuotaKey(key): value for key, value in quota_usage.items()}


def _link_rows(context: RequestContext, resource_id: UUID, kind: Kind, draft: Draft) -> list[dict[str, Any]]:
    return [
        {
            "organization_id": context.organization_id,
            "source_id": resource_id,
            "target_id": link.target_id,
            "role": link.role,
            "position": link.position,
            "pointer": link.pointer,
        }
        for link in kind.uses(draft.spec)
    ]


def create(
    connection: Connection,
    plugins: Plugins,
    context: RequestContext,
    project_id: UUID,
    kind_name: str,
    body: Json,
    *,
    origin: Origin = MADE,
) -> Accepted:
    """Write a new resource with its job; see :func:`stratoplane_engine.services.resources.create`."""
    kind = KINDS[kind_name]
    found = _surroundings(connection, context, project_id, kind.references(body, None))
    if (stored := acceptance.replay(context, found.stored)) is not None:
        return stored
    draft = kind.draft(body, found.gathered)
    draft = replace(draft, features=draft.features | origin.features)
    row = _new_row(context, project_id, kind, body, draft, found)
    request = _admission(context, "create", row, draft.spec)
    plugins.admit(request)
    if kind.interface is not None:
        cluster = choose_cluster(kind, draft, found.clusters, body.get("cluster", ""), request, plugins)
        row |= {"cluster_id": UUID(cluster["id"]), "cluster": cluster["name"], "status": ResourceStatus.PENDING.value}
    job = (
        acceptance.job_row(context, row, f"{kind.name}.{origin.verb}", found.now, origin.given)
        if kind.interface
        else None
    )
    audit = acceptance.audit_row(
        context,
        origin.audited,
        row,
        found.now,
        {"quota_usage": row["quota_usage"], "cluster": row["cluster"], **origin.given},
    )
    links = _link_rows(context, row["id"], kind, draft)
    return _write(connection, context, row, job, audit, change=kind.quota_usage(draft.spec), links=links, new=True)


def _new_row(
    context: RequestContext, project_id: UUID, kind: Kind, body: Json, draft: Draft, found: Surroundings
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "organization_id": context.organization_id,
        "project_id": project_id,
        "kind": kind.name,
        "name": body["name"],
        "status": ResourceStatus.ACTIVE.value,
        "labels": dict(body.get("labels") or {}),
        "spec": draft.spec,
        "observed": {},
        "quota_usage": _plain(kind.quota_usage(draft.spec)),
        "detail": "",
        "cluster_id": None,
        "cluster": None,
        "generation": 1,
        "version": 1,
        "created_at": found.now,
        "updated_at": found.now,
    }


def _write(
    connection: Connection,
    context: RequestContext,
    row: dict[str, Any],
    job: dict[str, Any] | None,
    audit: dict[str, Any],
    *,
    change: Amount,
    links: Sequence[Mapping[str, Any]] = (),
    new: bool = False,
) -> Accepted:
    steps = acceptance.step_rows(job) if job else []
    answer = Accepted(
        resource=wire_form.resource(row),
        job=wire_form.job(job, steps) if job else None,
        plan={"cluster": row["cluster"], "quota": _plain(change), "steps": [step["name"] for step in steps]},
    )
    document = Acceptance(
        resource=row,
        quota=acceptance.quota_lines(context.organization_id, row["project_id"], change),
        claim=acceptance.claim(row["cluster_id"], change, even_nothing=new),
        links=links,
        job=job,
        steps=steps,
        audit=audit,
        idempotency=acceptance.idempotency_row(context, row["updated_at"], answer),
    )
    acceptance.write(connection, context, document, new=new)
    return answer


def update(
    connection: Connection,
    plugins: Plugins,
    context: RequestContext,
    project_id: UUID,
    kind_name: str,
    resource_id: UUID,
    patch: Json,
) -> Accepted:
    """Write a change with its job; see :func:`stratoplane_engine.services.resources.update`."""
    kind = KINDS[kind_name]
    row = existing(connection, context, project_id, kind_name, resource_id, lock=True)
    found = _surroundings(connection, context, project_id, kind.references(patch, row["spec"]), row)
    if (stored := acceptance.replay(context, found.stored)) is not None:
        return stored
    check_version(context, cast("Versioned", LegacyRow(row)))
    if row["status"] not in CHANGEABLE:
        words = kind.name.replace("_", " ")
        raise StateConflictError(f"{words} {row['name']} is {row['status']}; it can only be deleted")
    draft = kind.redraft(row["spec"], patch, found.gathered)
    before = {"spec": row["spec"], "name": row["name"]}
    after = {**row, "name": patch.get("name", row["name"]), "labels": patch.get("labels", row["labels"])}
    reshaped = draft.spec != row["spec"] or after["name"] != row["name"]
    if not reshaped and after["labels"] == row["labels"]:
        return _unchanged(connection, context, found.now, Accepted(resource=wire_form.resource(row)))
    plugins.admit(_admission(context, "update", after, draft.spec, row["name"]))
    if kind.interface is not None:
        check_cluster(draft, found.clusters, row["cluster_id"])
    quota_usage = _amount(row["quota_usage"])
    charged = acceptance.larger(quota_usage, kind.quota_usage(draft.spec))
    change = difference(quota_usage, charged)
    after |= {
        "spec": draft.spec,
        "quota_usage": _plain(charged),
        "version": row["version"] + 1,
        "updated_at": found.now,
    }
    job = None
    if reshaped and kind.interface is not None:
        after |= {"detail": ""}
        after |= {"generation": row["generation"] + 1, "status": _updating(row["status"])}
        job = acceptance.job_row(context, after, f"{kind.name}.update", found.now, {"before": before})
    changed = sorted(key for key in patch if patch[key] != row.get(key))
    audit = acceptance.audit_row(
        context, AuditAction.RESOURCE_UPDATE_ACCEPTED, after, found.now, {"members": changed, "quota": _plain(change)}
    )
    links = _link_rows(context, resource_id, kind, draft)
    return _write(connection, context, after, job, audit, change=change, links=links)


def _updating(status: str) -> str:
    return status if status == ResourceStatus.PENDING else ResourceStatus.UPDATING.value


def _unchanged(connection: Connection, context: RequestContext, now: datetime, answer: Accepted) -> Accepted:
    """Keep the answer to a request that there is nothing to do for, so that its key gets the same one for ever."""
    if (kept := acceptance.idempotency_row(context, now, answer)) is not None:
        keep_answer(connection, kept)
    return answer


def recreate(
    connection: Connection,
    plugins: Plugins,
    context: RequestContext,
    project_id: UUID,
    kind_name: str,
    resource_id: UUID,
) -> Accepted:
    """Write another create of what could not be made; see :func:`stratoplane_engine.services.job_control.retry`."""
    kind = KINDS[kind_name]
    row = existing(connection, context, project_id, kind_name, resource_id, lock=True)
    found = _surroundings(connection, context, project_id, References(), row)
    if row["status"] != ResourceStatus.FAILED:
        words = kind.name.replace("_", " ")
        raise StateConflictError(f"{words} {row['name']} is {row['status']}; only what has failed is made again")
    plugins.admit(_admission(context, "create", row, row["spec"]))
    draft = Draft(spec=row["spec"])
    check_cluster(draft, found.clusters, row["cluster_id"])
    quota_usage = kind.quota_usage(row["spec"])
    change = difference(_amount(row["quota_usage"]), quota_usage)
    row |= {"version": row["version"] + 1, "updated_at": found.now, "detail": "", "quota_usage": _plain(quota_usage)}
    row |= {"status": ResourceStatus.PENDING.value}
    job = acceptance.job_row(context, row, f"{kind.name}.create", found.now, {})
    detail = {"retry": True, "quota_usage": row["quota_usage"], "cluster": row["cluster"]}
    audit = acceptance.audit_row(context, AuditAction.RESOURCE_CREATE_ACCEPTED, row, found.now, detail)
    links = _link_rows(context, resource_id, kind, draft)
    return _write(connection, context, row, job, audit, change=change, links=links)


def delete(
    connection: Connection,
    plugins: Plugins,
    context: RequestContext,
    project_id: UUID,
    kind_name: str,
    resource_id: UUID,
) -> Accepted:
    """Write a deletion with its job; see :func:`stratoplane_engine.services.resources.delete`."""
    kind = KINDS[kind_name]
    row = existing(connection, context, project_id, kind_name, resource_id, lock=True)
    found = _surroundings(connection, context, project_id, References(), row)
    if (stored := acceptance.replay(context, found.stored)) is not None:
        return stored
    if row["status"] == ResourceStatus.DELETING:
        answer = Accepted(resource=wire_form.resource(row), job=job_rows.live_job(connection, resource_id))
        return _unchanged(connection, context, found.now, answer)
    check_version(context, cast("Versioned", LegacyRow(row)))
    if users := rows.users_of(connection, context.organization_id, resource_id):
        words = kind.name.replace("_", " ")
        raise InUseError(
            f"{words} {row['name']} is used by {', '.join(users)}; delete or detach those first", used_by=users
        )
    plugins.admit(_admission(context, "delete", row, row["spec"], row["name"]))
    row |= {"version": row["version"] + 1, "updated_at": found.now, "generation": row["generation"] + 1, "detail": ""}
    audit = acceptance.audit_row(context, AuditAction.RESOURCE_DELETE_ACCEPTED, row, found.now, {})
    if kind.interface is None:
        change = difference(_amount(row["quota_usage"]), {})
        row |= {"status": ResourceStatus.DELETED.value, "deleted_at": found.now, "quota_usage": {}}
        return _write(connection, context, row, None, audit, change=change)
    row |= {"status": ResourceStatus.DELETING.value}
    job = acceptance.job_row(context, row, f"{kind.name}.delete", found.now, {})
    return _write(connection, context, row, job, audit, change={})


def act(connection: Connection, context: RequestContext, project_id: UUID, resource_id: UUID, action: str) -> Accepted:
    """Write the job of an action; see :func:`stratoplane_engine.services.resources.act`."""
    row = existing(connection, context, project_id, "virtual_machine", resource_id, lock=True)
    found = _surroundings(connection, context, project_id, References(), row)
    if (stored := acceptance.replay(context, found.stored)) is not None:
        return stored
    asked = ACTIONS[action]
    if row["status"] not in asked.states:
        allowed = " or ".join(sorted(asked.states))
        words = action.replace("_", " ")
        raise StateConflictError(f"virtual machine {row['name']} is {row['status']}; {words} needs it to be {allowed}")
    check_cluster(Draft(spec=row["spec"], features=frozenset({asked.feature})), found.clusters, row["cluster_id"])
    job = acceptance.job_row(context, row, f"virtual_machine.{action}", found.now, {})
    audit = acceptance.audit_row(context, AuditAction.RESOURCE_ACTION_ACCEPTED, row, found.now, {"action": action})
    row |= {"version": row["version"] + 1, "updated_at": found.now}
    return _write(connection, context, row, job, audit, change={})
