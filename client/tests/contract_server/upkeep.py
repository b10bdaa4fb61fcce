# SPDX-License-Identifier: Apache-2.0
"""Quotas and the audit trail, and what operators do about agents, jobs, leaks, incidents and foreign objects."""

from typing import Final

from client.tests.contract_server.document import Json, document, now
from client.tests.contract_server.exchange import Answer, Call, Refusal, page, serves
from client.tests.contract_server.kinds import KINDS
from client.tests.contract_server.state import State

_STATUS_AFTER: Final = {"acknowledge": "ACKNOWLEDGED", "resolve": "RESOLVED", "reopen": "OPEN"}
_HISTORY: Final = {"acknowledge": "acknowledged", "resolve": "resolved", "reopen": "reopened", "note": "noted"}


@serves("get_quotas", "get_organization_quotas", "get_project_quotas")
def show_quotas(state: State, _call: Call) -> Answer:
    """Show limits and what is used."""
    used = {kind.quota: 0 for kind in KINDS.values()}
    for (_, collection), found in state.resources.items():
        used[KINDS[collection].quota] += len(found)
    lines = [{"key": key, "limit": state.limits.get(key, -1), "used": amount} for key, amount in used.items()]
    return Answer(body={"organization": lines, "project": lines})


@serves("set_organization_quotas", "set_project_quotas")
def set_quotas(state: State, call: Call) -> Answer:
    """Set the limits that are given."""
    state.limits.update(call.body)
    return show_quotas(state, call)


@serves("list_audit_events", "list_project_audit_events", "list_all_audit_events")
def list_audit_events(state: State, call: Call) -> Answer:
    """List what happened, newest first."""
    project, subject = (call.ids or (None,))[0], call.query.get("subject_id")
    return page(
        call,
        [
            each
            for each in state.audit
            if project in (None, each["project_id"]) and subject in (None, each["subject_id"])
        ],
    )


@serves("revoke_agent")
def revoke_agent(state: State, call: Call) -> Answer:
    """End the access of an agent."""
    agent = state.by_id(state.stored["agents"], call.ids[0], "agent")
    agent.update(state="REVOKED", revoked_at=now())
    return Answer(body=agent)


@serves("list_job_operations")
def list_job_operations(state: State, call: Call) -> Answer:
    """List the driver calls of a job."""
    return page(call, state.stored["operations"])


@serves("resolve_job")
def resolve_job(state: State, call: Call) -> Answer:
    """End a job where it stands."""
    job = state.by_id(list(state.jobs.values()), call.ids[0], "job")
    error = {"code": "resolved_by_operator", "detail": call.body["note"], "provider_text": ""}
    job.update(state="FAILED", finished_at=now(), error=error)
    return Answer(body=job)


@serves("resolve_leak")
def resolve_leak(state: State, call: Call) -> Answer:
    """Close a leak."""
    leak = state.by_id(state.stored["leaks"], call.ids[0], "leak")
    leak.update(call.body, resolved_by=f"user:{call.username}", resolved_at=now())
    return Answer(body=leak)


@serves("get_incident")
def show_incident(state: State, call: Call) -> Answer:
    """Show an incident with its history."""
    return Answer(body=_incident(state, call))


@serves("acknowledge_incident", "resolve_incident", "reopen_incident", "note_incident")
def handle_incident(state: State, call: Call) -> Answer:
    """Change the status of an incident, or write a note into its history."""
    found, verb = _incident(state, call), call.operation.template.rpartition("/")[2]
    after = _STATUS_AFTER.get(verb, "")
    if found["status"] == after:
        raise Refusal(409, "state_conflict", f"the incident is {after} already")
    found["status"] = after or found["status"]
    _write(found, call, action=_HISTORY[verb], note=call.body.get("note", ""))
    return Answer(body=found)


@serves("assign_incident")
def assign_incident(state: State, call: Call) -> Answer:
    """Say who looks at an incident."""
    found, assignee = _incident(state, call), call.body["assignee"]
    found["assignee"] = assignee
    _write(found, call, action="assigned" if assignee else "unassigned", detail={"assignee": assignee})
    return Answer(body=found)


@serves("redeliver_notification")
def redeliver(state: State, call: Call) -> Answer:
    """Send a notification again."""
    delivery = state.by_id(_incident(state, call)["deliveries"], call.ids[1], "delivery")
    return Answer(body={**delivery, "state": "PENDING"})


@serves("adopt_foreign_object")
def adopt(state: State, call: Call) -> Answer:
    """Make a foreign object a resource of a project."""
    body = call.body
    if body["reference"] not in {each["reference"] for each in state.stored["foreign-objects"]}:
        detail = f"the cluster shows no foreign {body['kind']} {body['reference']!r}"
        raise Refusal(404, "resource_not_found", detail)
    collection, kind = next((name, kind) for name, kind in KINDS.items() if kind.member == body["kind"])
    resource = document().blank(kind.schema, name=body["name"], project_id=body["project_id"])
    job = state.accept(kind, resource, "adopt", effect={"status": kind.ready}, username=call.username)
    if call.dry_run:
        del state.jobs[job["id"]]
        return Answer(body=job)
    state.of_project(body["project_id"], collection).append(resource)
    return Answer(status=202, body=job)


@serves("delete_orphan")
def delete_orphan(state: State, call: Call) -> Answer:
    """Delete an orphan whose name is confirmed."""
    found = _orphan(state, call)
    if call.body["name"] != found["name"]:
        raise Refusal(422, "invalid_spec", f"the object is called {found['name']}, not {call.body['name']}")
    return _cleared(state, call, found, "clear")


@serves("adopt_orphan")
def adopt_orphan(state: State, call: Call) -> Answer:
    """Make an orphan a resource of a project."""
    return _cleared(state, call, _orphan(state, call), "recover")


def _orphan(state: State, call: Call) -> Json:
    for each in state.stored["orphans"]:
        if each["uid"] == call.body["uid"]:
            return each
    raise Refusal(404, "resource_not_found", f"the cluster lists no orphan {call.body['uid']}")


def _cleared(state: State, call: Call, orphan: Json, verb: str) -> Answer:
    if not call.dry_run:
        state.stored["orphans"].remove(orphan)
    job = document().blank("Job", kind=f"volume.{verb}", resource_name=call.body["name"], resource_id=orphan["uid"])
    return Answer(status=200 if call.dry_run else 202, body=job)


def _incident(state: State, call: Call) -> Json:
    return state.by_id(state.stored["incidents"], call.ids[0], "incident")


def _write(incident: Json, call: Call, **members: object) -> None:
    event = document().blank("IncidentEvent", actor=f"user:{call.username}", **members)
    incident["events"].append(event)
