# SPDX-License-Identifier: Apache-2.0
"""Resources of a project and their jobs."""

import time
from ipaddress import ip_network
from typing import Final

from client.tests.contract_server.document import Json, document, new_id, now
from client.tests.contract_server.exchange import Answer, Call, Refusal, check_match, etag, page, serves
from client.tests.contract_server.kinds import EFFECTS, INTERRUPTIONS, KINDS, STEPS, Kind, verb_of
from client.tests.contract_server.state import State

_MACHINE: Final = {"power": "RUNNING", "vcpus": 1, "memory_mib": 1024, "disk_gib": 10}
_VERBS: Final = {"PATCH": "update", "DELETE": "delete"}
_ACTIONS: Final = {"reboots": "reboot", "console-logs": "read_console"}


@serves("list_virtual_machines", "list_networks", "list_volumes", "list_buckets", "list_key_pairs")
def list_resources(state: State, call: Call) -> Answer:
    """List the resources of a kind."""
    labels = dict(each.split("=") for each in call.query.get("labels", "").split(",") if each)
    return page(
        call,
        [
            each
            for each in state.of_project(call.ids[0], call.operation.collection)
            if call.query.get("name~", "") in each["name"]
            and call.query.get("status") in (None, each["status"])
            and labels.items() <= each["labels"].items()
        ],
    )


@serves("get_virtual_machine", "get_network", "get_volume", "get_bucket", "get_key_pair")
def show_resource(state: State, call: Call) -> Answer:
    """Show one resource."""
    found = _found(state, call)
    return Answer(body=found, headers={"ETag": etag(found)})


@serves("create_virtual_machine", "create_network", "create_volume", "create_bucket", "create_key_pair")
def create_resource(state: State, call: Call) -> Answer:
    """Create a resource, by a job if its kind has one."""
    kind, among = KINDS[call.operation.collection], state.of_project(call.ids[0], call.operation.collection)
    if any(each["name"] == call.body["name"] for each in among):
        noun = kind.member.replace("_", " ")
        raise Refusal(409, "name_taken", f"the project has a {noun} named {call.body['name']!r} already")
    state.check_quota(kind.quota, len(among))
    made = _made(state, call, kind)
    steps = STEPS.get(f"{kind.member}.create", ())
    if call.dry_run:
        return _plan(kind, made, "create", quota={kind.quota: 1})
    among.append(made)
    state.record(call.username, f"tenant:{kind.member}:create", made)
    if not steps:
        made.update(status="ACTIVE", fingerprint="SHA256:abc")
        return Answer(status=201, body={kind.member: made, "job": None})
    effect: Json = {"status": "STOPPED" if made.get("power") == "STOPPED" else kind.ready}
    if kind.member == "virtual_machine":
        networks = [
            state.by_id(state.of_project(call.ids[0], "networks"), each, "network") for each in made["network_ids"]
        ]
        effect["addresses"] = [
            {"network_id": each["id"], "mac": "02:00", "address": str(ip_network(each["cidr"])[5])} for each in networks
        ]
    return _accepted(state, call, kind, made, "create", effect)


@serves(
    *("update_virtual_machine", "update_network", "update_volume", "update_bucket", "update_key_pair"),
    *("delete_virtual_machine", "delete_network", "delete_volume", "delete_bucket", "delete_key_pair"),
    *("reboot_virtual_machine", "read_virtual_machine_console"),
)
def change_resource(state: State, call: Call) -> Answer:
    """Change or delete a resource, or act on it."""
    kind, found = KINDS[call.operation.collection], _found(state, call)
    check_match(call, found)
    verb = _VERBS.get(call.operation.method) or _ACTIONS[call.operation.template.rpartition("/")[2]]
    if verb == "delete" and found["used_by"]:
        detail = f"{kind.member} {found['name']} is in use; detach it first"
        raise Refusal(409, "resource_in_use", detail, used_by=found["used_by"])
    wanted = _wanted(state, call.body)
    named = verb_of(found, wanted) if verb == "update" else verb
    if call.dry_run:
        return _plan(kind, {**found, **wanted}, named, runs=found["status"] == "RUNNING")
    if verb == "update" and all(found.get(name) == value for name, value in wanted.items()):
        return Answer(body={kind.member: found, "job": None})
    found.update(wanted, version=found["version"] + 1, updated_at=now())
    state.record(call.username, f"tenant:{kind.member}:{verb}", found)
    if kind.member == "key_pair" or (verb == "update" and wanted.keys() <= {"labels"}):
        if verb == "delete":
            state.resources[found["project_id"], call.operation.collection].remove(found)
        return Answer(body={kind.member: found, "job": None})
    effects: dict[str, Json] = {
        "update": {"status": found["power"] if kind.ready == "RUNNING" else kind.ready},
        "delete": {"status": "DELETED"},
        "read_console": {"output": {"text": state.console}},
    }
    return _accepted(state, call, kind, found, named, effects.get(verb, {}))


@serves("list_jobs", "list_all_jobs")
def list_jobs(state: State, call: Call) -> Answer:
    """List jobs, newest first."""
    project = (call.ids or (None,))[0]
    wanted = {"project_id": project, "state": call.query.get("status"), "resource_id": call.query.get("resource_id")}
    return page(
        call,
        [
            job
            for job in reversed(state.jobs.values())
            if all(value in (None, job[key]) for key, value in wanted.items())
        ],
    )


@serves("get_job", "get_any_job")
def show_job(state: State, call: Call) -> Answer:
    """Show a job, which goes on by a step; a job that is stuck is waited for."""
    job = _job(state, call)
    state.advance(job)
    until = time.monotonic() + float(call.query.get("wait", "0"))
    while not job["finished_at"] and (left := until - time.monotonic()) > 0 and state.stuck:
        state.changed.wait(left)
    return Answer(body=job)


@serves("cancel_job", "retry_job", "cancel_any_job", "retry_any_job")
def handle_job(state: State, call: Call) -> Answer:
    """Ask that a job stops, or let it run now."""
    job = _job(state, call)
    if job["finished_at"]:
        raise Refusal(409, "state_conflict", f"the job has ended ({job['state']}) and cannot be cancelled")
    if call.operation.template.endswith("/cancel"):
        job.update(cancelled_by=f"user:{call.username}", cancel_requested_at=now())
    return Answer(body=job)


def _made(state: State, call: Call, kind: Kind) -> Json:
    wanted = _wanted(state, call.body)
    facts = _MACHINE if kind.member == "virtual_machine" else {}
    return document().blank(
        kind.schema,
        **{
            **facts,
            **wanted,
            "id": new_id(),
            "version": 1,
            "cluster": "rack-1",
            "project_id": call.ids[0],
            "organization_id": state.organization["id"],
        },
    )


def _wanted(state: State, body: Json) -> Json:
    """Return what a request asks for, in the members that a resource has."""
    wanted = {name: value for name, value in body.items() if name not in {"user_data", "cluster", "key_pair", "image"}}
    if "key_pair" in body:
        keys = [key for (_, collection), found in state.resources.items() if collection == "key-pairs" for key in found]
        wanted["key_pair_id"] = _named(keys, "key_pair", body["key_pair"])["id"]
    if "image" in body:
        image = _named(state.stored["images"], "image", body["image"])
        wanted["image_id"] = image["id"]
        if "flavor" in body:
            wanted["image"] = image["name"]
    return wanted


def _named(among: list[Json], member: str, wanted: str) -> Json:
    for each in among:
        if wanted in (each["name"], each["id"]):
            return each
    noun = member.replace("_", " ")
    raise Refusal(404, "resource_not_found", f"{member}: there is no {noun} {wanted!r}; list the {noun}s")


def _plan(kind: Kind, resource: Json, verb: str, *, quota: dict[str, int] | None = None, runs: bool = False) -> Answer:
    job_kind = f"{kind.member}.{verb}"
    interruption = INTERRUPTIONS.get(job_kind) if runs else None
    plan = {
        "dry_run": True,
        "cluster": resource["cluster"],
        "quota": quota or {},
        "job_kind": job_kind if job_kind in STEPS else None,
        "steps": list(STEPS.get(job_kind, ())),
        "interruption": interruption,
        "effect": EFFECTS.get(interruption, ""),
    }
    return Answer(body={kind.member: resource, **plan})


def _accepted(state: State, call: Call, kind: Kind, resource: Json, verb: str, effect: Json) -> Answer:
    job = state.accept(kind, resource, verb, effect=effect, username=call.username)
    location = f"/api/tenant/v1/projects/{resource['project_id']}/jobs/{job['id']}"
    return Answer(status=202, body={kind.member: resource, "job": job}, headers={"Location": location})


def _found(state: State, call: Call) -> Json:
    collection = call.operation.collection
    among = state.of_project(call.ids[0], collection)
    return state.by_id(among, call.ids[1], KINDS[collection].member.replace("_", " "))


def _job(state: State, call: Call) -> Json:
    project, *_ = call.ids if len(call.ids) > 1 else (None,)
    mine = [each for each in state.jobs.values() if project in (None, each["project_id"])]
    return state.by_id(mine, call.ids[-1], "job")
