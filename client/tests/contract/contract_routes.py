# SPDX-License-Identifier: Apache-2.0
"""What the contract server does for each request."""

import json
import re
import time
from typing import Any

from contract_rules import (
    AUDIT,
    HAPPENED,
    JOBS,
    KINDS,
    NOUNS,
    PAGE,
    RESOURCES,
    SHOWN,
    KindRule,
    Refusal,
    checked_body,
    checked_query,
)
from contract_state import AGENT, ROLES, State, new_id, now

Served = tuple[int, Any, dict[str, str]]
PUBLIC = {"/api/common/v1/login", "/api/common/v1/version", "/api/common/v1/health"}
FOREIGN = {
    "cluster_id": new_id(),
    "cluster": "rack-1",
    "kind": "volume",
    "reference": "vol-0c1d2e3f",
    "name": "old-backup",
    "status": {"size_gib": 40},
    "first_seen_at": now(),
    "seen_at": now(),
}
PROVIDER = {
    "cluster": "rack-1",
    "interface": "compute",
    "driver": "mock",
    "status": "BROKEN",
    "reason": "no such folder",
    "production_ready": False,
}


class Routes:
    """Serves requests from a state."""

    def __init__(self, state: State) -> None:
        self.state = state
        for path in NOUNS:
            state.nouns.setdefault(path, [])
        state.nouns["/api/ops/v1/organizations"].append(state.organization)
        # Operators see the users of all organizations; here is only one.
        state.nouns["/api/ops/v1/users"] = state.nouns["/api/tenant/v1/users"]
        state.nouns["/api/ops/v1/role-bindings"] = state.nouns["/api/tenant/v1/role-bindings"]

    def serve(self, request: Any) -> Served:
        """Return status, document and headers; a list stands for its first page and is cut by the caller."""
        user = self._user(request)
        if request.path.startswith("/api/ops/") and user not in self.state.operators:
            raise Refusal(403, "permission_denied", "this is for operators", permission="platform:read")
        with self.state.lock:
            return self._once(request, user)

    def _user(self, request: Any) -> str:
        if request.path in PUBLIC:
            return ""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        user = self.state.tokens.get(token)
        if user is None:
            words = "the token is unknown or has expired"
            raise Refusal(401, "authentication_failed", words, headers={"WWW-Authenticate": "Bearer"})
        return user

    def _once(self, request: Any, user: str) -> Served:
        """Answer a repeated change of a resource with its first answer."""
        key = request.headers.get("idempotency-key")
        if key is None or request.method == "GET" or not re.search(r"/projects/[^/]+/[a-z-]+", request.path):
            return self._route(request, user)
        asked = (request.method, request.path, json.dumps(request.body, sort_keys=True))
        if key in self.state.answers:
            before, answer = self.state.answers[key]
            if before != asked:
                raise Refusal(422, "idempotency_key_reused", "the key was used with another request")
            status, document, headers = answer
            return status, document, {**headers, "Idempotency-Replayed": "true"}
        answer = self._route(request, user)
        self.state.answers[key] = (asked, json.loads(json.dumps(answer)))
        return answer

    def _route(self, request: Any, user: str) -> Served:
        path, method = request.path, request.method
        if simple := self._simple(request, user):
            return simple
        if match := re.fullmatch(r"/api/tenant/v1/projects/([^/]+)/([a-z-]+)(?:/([^/]+))?(?:/([a-z-]+))?", path):
            return self._in_project(request, user, *match.groups())
        if match := re.fullmatch(r"/api/ops/v1/(organizations|projects)/([^/]+)/quotas", path):
            if method == "PUT":
                self.state.limits.update(request.body)
            return 200, self._quotas(), {}
        if match := re.fullmatch(r"/api/ops/v1/clusters/([^/]+)/join-tokens", path):
            return 201, {"id": new_id(), "cluster_id": match[1], "token": "join-me", "expires_at": now()}, {}
        if path == f"/api/ops/v1/agents/{AGENT['id']}/revoke":
            return 200, {**AGENT, "state": "REVOKED", "revoked_at": now()}, {}
        if match := re.fullmatch(r"/api/ops/v1/incidents/([^/]+)(?:/(.+))?", path):
            return self._incident(request, *match.groups())
        if match := re.fullmatch(r"/api/ops/v1/(jobs|leaks)/([^/]+)/([a-z]+)", path):
            return self._upkeep(request, *match.groups())
        if match := re.fullmatch(r"(/api/[a-z]+/v1/[a-z-]+)(?:/([^/]+))?", path):
            return self._noun(request, match[1], match[2])
        raise Refusal(404, "route_not_found", f"nothing is served at {path}")

    def _simple(self, request: Any, user: str) -> Served | None:
        state, path = self.state, request.path
        if path == "/api/common/v1/login":
            return self._login(checked_body(request.body, {"username", "password"}, set()))
        if path == "/api/ops/v1/foreign-objects/adopt":
            return self._adopt(request, user)
        if path == "/api/common/v1/logout":
            del state.tokens[request.headers["authorization"].removeprefix("Bearer ")]
            return 204, None, {}
        if path == "/api/common/v1/me":
            mine = next(each for each in state.nouns["/api/tenant/v1/users"] if each["username"] == user)
            scope = "PLATFORM" if user in state.operators else "ORGANIZATION"
            grant = {"scope": scope, "organization_id": state.organization["id"], "permissions": ["resource:read"]}
            return 200, {"user": mine, "organization": state.organization, "grants": [grant]}, {}
        fixed: dict[str, Any] = {
            "/api/common/v1/version": {"version": "0.1.0", "api": "v1"},
            "/api/common/v1/health": {"status": "ok", "checks": [{"name": "database", "status": "ok", "detail": ""}]},
            "/api/tenant/v1/organization": state.organization,
            "/api/ops/v1/plugins": [{"name": "naming", "state": "ENABLED", "reason": "", "version": "0.1.0"}],
            "/api/ops/v1/agents": [AGENT],
            "/api/ops/v1/providers": [PROVIDER],
            "/api/ops/v1/jobs": list(state.jobs.values()),
            "/api/ops/v1/leaks": state.leaks,
            "/api/ops/v1/incidents": state.incidents,
            "/api/ops/v1/foreign-objects": [FOREIGN],
            "/api/tenant/v1/audit-events": state.audit,
            "/api/ops/v1/audit-events": state.audit,
        }  # fmt: skip
        known = {"/api/tenant/v1/roles": set(), "/api/ops/v1/roles": set(), "/api/ops/v1/plugins": set()}
        known["/api/ops/v1/leaks"] = PAGE | {"open"}
        known["/api/ops/v1/incidents"] = PAGE | {"status", "severity", "kind", "cluster_id", "assignee"}
        known["/api/ops/v1/foreign-objects"] = PAGE | {"cluster_id", "kind"}
        known["/api/ops/v1/agents"] = PAGE | {"cluster_id"}
        known |= {"/api/ops/v1/jobs": JOBS, "/api/tenant/v1/audit-events": AUDIT, "/api/ops/v1/audit-events": AUDIT}
        if path in ("/api/tenant/v1/roles", "/api/ops/v1/roles"):
            fixed[path] = ROLES
        if path not in fixed:
            return None
        checked_query(request.query, known.get(path, PAGE))
        return 200, fixed[path], {}

    def _adopt(self, request: Any, user: str) -> Served:
        body = checked_body(request.body, {"cluster_id", "kind", "reference", "project_id", "name"}, set())
        if body["reference"] != FOREIGN["reference"]:
            raise Refusal(404, "resource_not_found", f"the cluster shows no foreign volume {body['reference']!r}")
        resource = {"id": new_id(), "kind": body["kind"], "name": body["name"], "project_id": body["project_id"]}
        job = self.state.accept(KINDS["volumes"], resource, "adopt", effect={}, user=user)
        return 200 if request.query.get("dry_run") else 202, job, {}

    def _login(self, body: dict[str, Any]) -> Served:
        state = self.state
        if state.passwords.get(body["username"], object()) != body["password"]:
            raise Refusal(401, "authentication_failed", "the username or the password is wrong")
        token = new_id()
        state.tokens[token] = body["username"]
        user = next(each for each in state.nouns["/api/tenant/v1/users"] if each["username"] == body["username"])
        return 200, {"token": token, "token_id": new_id(), "expires_at": now(), "user": user}, {}

    def _quotas(self) -> dict[str, Any]:
        counted = {rule.quota: 0 for rule in KINDS.values()}
        for (_, path), found in self.state.resources.items():
            counted[KINDS[path].quota] += len(found)
        lines = [{"key": key, "limit": self.state.limits.get(key, -1), "used": used} for key, used in counted.items()]
        return {"organization": lines, "project": lines}

    def _noun(self, request: Any, path: str, wanted: str | None) -> Served:
        if path in SHOWN and request.method == "GET" and wanted is None:
            checked_query(request.query, PAGE)
            return 200, self.state.nouns[SHOWN[path]], {}
        if path not in NOUNS:
            raise Refusal(404, "route_not_found", f"nothing is served at {path}")
        rule, among, words = NOUNS[path], self.state.nouns[path], path.rpartition("/")[2].rstrip("s")
        if wanted is None and request.method == "GET":
            checked_query(request.query, PAGE)
            return 200, [_without_secret(each) for each in among], {}
        if wanted is None:
            return self._make(checked_body(request.body, rule.required, rule.optional), rule.defaults, among, words)
        found = self.state.by_id(among, wanted, words)
        _match(request, found)
        if request.method == "DELETE":
            among.remove(found)
            return 204, None, {}
        if request.method == "PATCH":
            found.update(checked_body(request.body, set(), rule.update), version=found["version"] + 1)
        return 200, found, {"ETag": _etag(found)}

    def _make(self, body: dict[str, Any], defaults: Any, among: list[dict[str, Any]], words: str) -> Served:
        name = body.get("name") or body.get("username")
        if name is not None and any(name in (each.get("name"), each.get("username")) for each in among):
            raise Refusal(409, "name_taken", f"there is a {words} named {name!r} already; choose another name")
        made = {**defaults, **body, "id": new_id(), "version": 1, "created_at": now(), "updated_at": now()}
        password = made.pop("password", None)
        if password is not None:
            self.state.passwords[made["username"]] = password
        if words == "token":
            made.update(kind="api", expires_at=None, token=f"secret-{made['id']}")
            made.pop("expires_in", None)
        if words == "role-binding":
            users = self.state.nouns["/api/tenant/v1/users"]
            made["username"] = self.state.by_id(users, made["user_id"], "user")["username"]
        among.append(made)
        return 201, made, {"ETag": _etag(made)}

    def _in_project(
        self, request: Any, user: str, project: str, path: str, wanted: str | None, action: str | None
    ) -> Served:
        state = self.state
        if path not in KINDS:
            state.of_project(project, "networks")
        if path == "jobs":
            return self._jobs(request, project, wanted) if action is None else self._act_on(wanted, action, user)
        if path == "quotas":
            return 200, self._quotas(), {}
        if path == "audit-events":
            checked_query(request.query, AUDIT)
            return 200, [each for each in state.audit if each["project_id"] == project], {}
        if path not in KINDS:
            raise Refusal(404, "route_not_found", f"nothing is served at {request.path}")
        rule, among = KINDS[path], state.of_project(project, path)
        if wanted is None:
            if request.method == "GET":
                return 200, _filtered(among, checked_query(request.query, RESOURCES)), {}
            return self._create(request, user, project, path, rule)
        found = state.by_id(among, wanted, rule.member.replace("_", " "))
        if request.method == "GET":
            return 200, found, {"ETag": _etag(found)}
        return self._change(request, user, rule, found, action)

    def _jobs(self, request: Any, project: str, wanted: str | None) -> Served:
        state = self.state
        mine = [each for each in reversed(state.jobs.values()) if each["project_id"] == project]
        if wanted is None:
            query = checked_query(request.query, JOBS)
            asked = {"state": query.get("status"), "resource_id": query.get("resource_id")}
            return 200, [job for job in mine if all(value in (None, job[key]) for key, value in asked.items())], {}
        job = state.by_id(mine, wanted, "job")
        state.look(job)
        until = time.monotonic() + float(checked_query(request.query, {"wait"}).get("wait", "0"))
        while not job["finished_at"] and (left := until - time.monotonic()) > 0 and state.stuck:
            state.changed.wait(left)
        return 200, job, {}

    def _act_on(self, wanted: str | None, action: str, user: str) -> Served:
        job = self.state.by_id(list(self.state.jobs.values()), wanted or "", "job")
        if job["finished_at"]:
            raise Refusal(409, "state_conflict", f"the job has ended ({job['state']}); it can no longer be stopped")
        if action == "cancel":
            job.update(cancelled_by=f"user:{user}", cancel_requested_at=now())
        return 200, job, {}

    def _incident(self, request: Any, wanted: str, action: str | None) -> Served:
        found = self.state.by_id(self.state.incidents, wanted, "incident")
        if action is not None and action.endswith("/redeliver"):
            delivery = self.state.by_id(found["deliveries"], action.split("/")[1], "delivery")
            return 200, {**delivery, "state": "PENDING"}, {}
        after = {"acknowledge": "ACKNOWLEDGED", "resolve": "RESOLVED", "reopen": "OPEN"}
        if action in after:
            if found["status"] == after[action]:
                raise Refusal(409, "state_conflict", f"the incident is {found['status']}")
            found["status"] = after[action]
        by = {"actor": "user:olga", "occurred_at": now()}
        if action == "assign":
            given = checked_body(request.body, {"assignee"}, set())
            found.update(given)
            found["events"].append({"action": "assigned" if given["assignee"] else "unassigned", "detail": given, **by})
        elif action is not None:
            note = checked_body(request.body, {"note"}, set())["note"]
            found["events"].append({"action": HAPPENED[action], "note": note, **by})
        return 200, found, {}

    def _upkeep(self, request: Any, noun: str, wanted: str, action: str) -> Served:
        state = self.state
        if noun == "leaks":
            leak = state.by_id(state.leaks, wanted, "leak")
            leak.update(checked_body(request.body, {"note"}, set()), resolved_by="user:olga", resolved_at=now())
            return 200, leak, {}
        if action == "operations":
            return 200, state.operations, {}
        if action == "resolve":
            job = state.by_id(list(state.jobs.values()), wanted, "job")
            error = {"code": "resolved_by_operator", "detail": request.body["note"], "provider_text": ""}
            job.update(state="FAILED", finished_at=now(), error=error)
            return 200, job, {}
        return self._act_on(wanted, action, "olga")

    def _create(self, request: Any, user: str, project: str, path: str, rule: KindRule) -> Served:
        state, among = self.state, self.state.of_project(project, path)
        body = checked_body(request.body, rule.required, rule.optional)
        if any(each["name"] == body["name"] for each in among):
            words = rule.member.replace("_", " ")
            raise Refusal(409, "name_taken", f"the project has a {words} named {body['name']!r} already")
        state.reserve(rule.quota, len(among))
        made = {
            "labels": {}, "network_ids": [], "volume_ids": [], "power": "RUNNING", **body,
            "id": new_id(), "status": "PENDING", "detail": "", "project_id": project, "version": 1, "used_by": [],
            "cluster": "rack-1", "created_at": now(), "updated_at": now(), "vcpus": 1, "memory_mib": 1024,
            "disk_gib": 10, "from_a_newer_server": True,
        }  # fmt: skip
        if request.query.get("dry_run") == "true":
            steps = ["provision", "settle"]
            plan = {"dry_run": True, "cluster": "rack-1", "quota": {rule.quota: 1}, "steps": steps}
            return 200, {rule.member: made, **plan}, {}
        among.append(made)
        self._record(user, f"tenant:{rule.member}:create", made)
        if not rule.deferred:
            made.update(status="ACTIVE", fingerprint="SHA256:abc")
            return 201, {rule.member: made, "job": None}, {"ETag": _etag(made)}
        effect: dict[str, Any] = {"status": "STOPPED" if made["power"] == "STOPPED" else rule.ready}
        if rule.member == "virtual_machine":
            effect["addresses"] = [
                {"network_id": each, "mac": "02:00", "address": "10.0.0.5"} for each in made["network_ids"]
            ]
        job = state.accept(rule, made, "create", effect=effect, user=user)
        return 202, {rule.member: made, "job": job}, {"ETag": _etag(made)}

    def _change(self, request: Any, user: str, rule: KindRule, found: dict[str, Any], action: str | None) -> Served:
        _match(request, found)
        verb = {"PATCH": "update", "DELETE": "delete"}.get(request.method, str(action))
        body = checked_body(request.body, set(), rule.update) if verb == "update" else {}
        if verb == "delete" and found["used_by"]:
            words = f"{rule.member} {found['name']} is in use; detach it first"
            raise Refusal(409, "resource_in_use", words, used_by=found["used_by"])
        if request.query.get("dry_run") == "true":
            return (
                200,
                {rule.member: {**found, **body}, "dry_run": True, "cluster": "rack-1", "quota": {}, "steps": []},
                {},
            )
        if verb == "update" and all(found.get(name) == value for name, value in body.items()):
            return 200, {rule.member: found, "job": None}, {"ETag": _etag(found)}
        found.update(body, version=found["version"] + 1)
        self._record(user, f"tenant:{rule.member}:{verb}", found)
        if not rule.deferred or (verb == "update" and body.keys() <= {"name", "labels"}):
            if verb == "delete":
                self.state.resources[found["project_id"], "key-pairs"].remove(found)
            return 200, {rule.member: found, "job": None}, {"ETag": _etag(found)}
        effects: dict[str, dict[str, Any]] = {
            "update": {"status": found["power"] if rule.ready == "RUNNING" else rule.ready},
            "delete": {"status": "DELETED"},
            "console-logs": {"output": {"text": self.state.console}},
        }
        job = self.state.accept(rule, found, verb, effect=effects.get(verb, {}), user=user)
        return 202, {rule.member: found, "job": job}, {"ETag": _etag(found)}

    def _record(self, user: str, action: str, found: dict[str, Any]) -> None:
        event = {"id": new_id(), "actor": f"user:{user}", "action": action, "outcome": "accepted",
                 "project_id": found["project_id"], "subject_id": found["id"], "subject_name": found["name"],
                 "occurred_at": now()}  # fmt: skip
        self.state.audit.insert(0, event)


def _etag(found: dict[str, Any]) -> str:
    return f'"{found["id"]}.{found["version"]}"'


def _match(request: Any, found: dict[str, Any]) -> None:
    if request.headers.get("if-match", _etag(found)) != _etag(found):
        raise Refusal(412, "version_mismatch", "it changed since you read it; read it again")


def _without_secret(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "token"}


def _filtered(among: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
    labels = dict(each.split("=") for each in query.get("labels", "").split(",") if each)
    return [
        each
        for each in among
        if query.get("name~", "") in each["name"]
        and query.get("status") in (None, each["status"])
        and labels.items() <= each["labels"].items()
    ]
