# SPDX-License-Identifier: Apache-2.0
"""What the contract server remembers: tenants, resources, jobs that go on by a step whenever somebody looks."""

import threading
import uuid
from datetime import UTC, datetime
from typing import Any

from contract_rules import KINDS, KindRule, Refusal

STEPS = ("provision", "settle")


def now() -> str:
    """Return the time as the API writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def new_id() -> str:
    """Return a new id."""
    return str(uuid.uuid4())


ROLES = [
    {"id": new_id(), "name": "organization-admin", "description": "Everything here.", "scope": "ORGANIZATION",
     "permissions": ["resource:read", "resource:write"]},
    {"id": new_id(), "name": "project-member", "description": "One project.", "scope": "PROJECT",
     "permissions": ["resource:read"]},
]  # fmt: skip

AGENT = {
    "id": new_id(),
    "cluster": "rack-1",
    "name": "rack-1-agent",
    "version": "0.1.0",
    "generation": 2,
    "state": "ACTIVE",
    "created_at": now(),
    "seen_at": now(),
}


class State:
    """Everything that requests change. One lock guards it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.organization = {"id": new_id(), "name": "acme", "display_name": "Acme", "labels": {}, "version": 1}
        self.passwords: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self.nouns: dict[str, list[dict[str, Any]]] = {}
        self.resources: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.leaks: list[dict[str, Any]] = [
            {"id": new_id(), "kind": "volume", "name": "data", "cluster": "rack-1", "step": "provision", "detail": "no"}
        ]
        told = {"id": new_id(), "plugin": "webhook", "event": "opened", "state": "FAILED", "attempts": 12}
        self.incidents: list[dict[str, Any]] = [
            {
                "id": new_id(),
                "kind": "agent-lost",
                "severity": "CRITICAL",
                "status": "OPEN",
                "title": "rack-1 is silent",
                "cluster": "rack-1",
                "detail": {"seen_at": now()},
                "opened_at": now(),
                "escalates_at": now(),
                "events": [{"action": "opened", "actor": "platform", "occurred_at": now()}],
                "deliveries": [told],
            }
        ]
        self.operations: list[dict[str, Any]] = [
            {"id": new_id(), "step": "provision", "verb": "create", "state": "DONE", "outcome": "transient",
             "cluster": "rack-1", "agent": "agent-1", "provider_text": "connection refused"}
        ]  # fmt: skip
        self.limits: dict[str, int] = {}
        self.audit: list[dict[str, Any]] = []
        self.answers: dict[str, tuple[Any, Any]] = {}
        self.operators: set[str] = set()
        self.stuck = False
        """Whether jobs stay where they are."""
        self.failure: dict[str, str] | None = None
        """The error with which the next job ends."""
        self.console = "boot: done\n"

    def accept(
        self, rule: KindRule, resource: dict[str, Any], verb: str, *, effect: dict[str, Any], user: str
    ) -> dict[str, Any]:
        """Return a new job that gives ``resource`` the members in ``effect`` when it ends."""
        job = {
            "id": new_id(),
            "kind": f"{rule.member}.{verb}",
            "state": "PENDING",
            "resource_id": resource["id"],
            "resource_kind": rule.member,
            "resource_name": resource["name"],
            "project_id": resource["project_id"],
            "organization_id": self.organization["id"],
            "progress": {"done": 0, "total": len(STEPS), "step": STEPS[0]},
            "steps": [{"name": name, "state": "PENDING", "attempts": 0, "error": None} for name in STEPS],
            "attempts": 0,
            "error": None,
            "output": {},
            "created_at": now(),
            "started_at": None,
            "finished_at": None,
            "created_by": f"user:{user}",
            "request_id": "r-1",
            "trace_id": "0" * 32,
            "effect": effect,
        }
        self.jobs[str(job["id"])] = job
        return job

    def look(self, job: dict[str, Any]) -> None:
        """Let a job go on by one step; the last one brings its effect."""
        if self.stuck or job["finished_at"]:
            return
        done = job["progress"]["done"]
        job["state"], job["started_at"] = "RUNNING", job["started_at"] or now()
        if self.failure is not None:
            self._end(job, "FAILED", {**self.failure})
            self.failure = None
            return
        job["steps"][done]["state"] = "DONE"
        job["progress"] = {"done": done + 1, "total": len(STEPS), "step": (*STEPS, None)[done + 1]}
        if done + 1 == len(STEPS):
            self._end(job, "SUCCEEDED", None)

    def _end(self, job: dict[str, Any], state: str, error: dict[str, str] | None) -> None:
        job.update(state=state, finished_at=now(), error=error)
        path = next(name for name, rule in KINDS.items() if rule.member == job["resource_kind"])
        mine = self.resources[job["project_id"], path]
        resource = next(each for each in mine if each["id"] == job["resource_id"])
        if state == "FAILED":
            resource.update(status="FAILED", detail=str(error and error["detail"]))
        elif job["effect"].get("status") == "DELETED":
            mine.remove(resource)
        else:
            job["output"] = job["effect"].pop("output", {})
            resource.update(job["effect"])
        resource["version"] += 1
        self.changed.notify_all()

    def of_project(self, project_id: str, path: str) -> list[dict[str, Any]]:
        """Return the resources of one kind of a project."""
        if not any(each["id"] == project_id for each in self.nouns["/api/tenant/v1/projects"]):
            raise Refusal(404, "resource_not_found", f"there is no project {project_id}; list the projects")
        return self.resources.setdefault((project_id, path), [])

    def by_id(self, among: list[dict[str, Any]], wanted: str, words: str) -> dict[str, Any]:
        """Return the object with this id."""
        found = next((each for each in among if each["id"] == wanted), None)
        if found is None:
            raise Refusal(404, "resource_not_found", f"there is no {words} {wanted}; list the {words}s")
        return found

    def reserve(self, key: str, used: int) -> None:
        """Refuse one more when the limit is reached."""
        limit = self.limits.get(key, -1)
        if 0 <= limit <= used:
            words = f"the quota of {key} is full: {used} of {limit} are used"
            raise Refusal(403, "quota_exceeded", words, key=key, limit=limit, used=used, wanted=1, scope="project")
