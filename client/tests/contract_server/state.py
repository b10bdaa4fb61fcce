# SPDX-License-Identifier: Apache-2.0
"""What the contract server remembers: tenants, resources, jobs that go on by a step whenever somebody looks."""

import threading
from typing import Any

from client.tests.contract_server.document import Json, document, new_id, now
from client.tests.contract_server.exchange import Answer, Refusal
from client.tests.contract_server.kinds import KINDS, STEPS, Kind
from client.tests.contract_server.samples import organization, stored


class State:
    """Everything that requests change. One lock guards it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.organization = organization()
        self.passwords: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self.operators: set[str] = set()
        self.stored: dict[str, list[Json]] = stored(self.organization)
        """The objects that are kept without jobs, by their collection."""
        self.resources: dict[tuple[str, str], list[Json]] = {}
        self.jobs: dict[str, Json] = {}
        self.effects: dict[str, Json] = {}
        """What the resource of a job becomes when the job succeeds."""
        self.limits: dict[str, int] = {}
        self.audit: list[Json] = []
        self.answers: dict[str, tuple[Any, Answer]] = {}
        """The first answer to each idempotency key, with what was asked."""
        self.stuck = False
        """Whether jobs stay where they are."""
        self.failure: dict[str, str] | None = None
        """The error with which the next job ends."""
        self.console = "boot: done\n"

    def accept(self, kind: Kind, resource: Json, verb: str, *, effect: Json, username: str) -> Json:
        """Return a new job that gives ``resource`` the members in ``effect`` when it ends."""
        name = f"{kind.member}.{verb}"
        steps = [document().blank("JobStep", name=step) for step in STEPS[name]]
        job = document().blank(
            "Job",
            id=new_id(),
            kind=name,
            resource_id=resource["id"],
            resource_kind=kind.member,
            resource_name=resource["name"],
            project_id=resource["project_id"],
            organization_id=self.organization["id"],
            progress={"done": 0, "total": len(steps), "step": STEPS[name][0]},
            steps=steps,
            created_by=f"user:{username}",
            request_id="r-1",
            trace_id="0" * 32,
        )
        self.jobs[str(job["id"])] = job
        self.effects[str(job["id"])] = effect
        return job

    def advance(self, job: Json) -> None:
        """Let a job go on by one step; the last one brings its effect."""
        if self.stuck or job["finished_at"]:
            return
        done = job["progress"]["done"]
        job["state"], job["started_at"] = "RUNNING", job["started_at"] or now()
        if self.failure is not None:
            self._end(job, "FAILED", {**self.failure})
            self.failure = None
            return
        job["steps"][done].update(state="DONE", attempts=1, started_at=now(), finished_at=now())
        names = [*(step["name"] for step in job["steps"]), None]
        job["progress"] = {"done": done + 1, "total": len(job["steps"]), "step": names[done + 1]}
        if done + 1 == len(job["steps"]):
            self._end(job, "SUCCEEDED", None)

    def of_project(self, project_id: str, collection: str) -> list[Json]:
        """Return the resources of one kind of a project.

        Raises:
            Refusal: there is no such project.
        """
        self.by_id(self.stored["projects"], project_id, "project")
        return self.resources.setdefault((project_id, collection), [])

    def by_id(self, among: list[Json], wanted: str, noun: str) -> Json:
        """Return the object with this id.

        Raises:
            Refusal: there is none.
        """
        found = next((each for each in among if each["id"] == wanted), None)
        if found is None:
            raise Refusal(404, "resource_not_found", f"there is no {noun} {wanted}; list the {noun}s")
        return found

    def check_quota(self, key: str, used: int) -> None:
        """Refuse one more when the limit is reached.

        Raises:
            Refusal: the quota is full.
        """
        limit = self.limits.get(key, -1)
        if 0 <= limit <= used:
            detail = f"the quota of {key} is full: {used} of {limit} are used"
            raise Refusal(403, "quota_exceeded", detail, key=key, limit=limit, used=used, wanted=1, scope="project")

    def record(self, username: str, action: str, found: Json) -> None:
        """Write an entry of the audit trail."""
        event = document().blank(
            "AuditEvent",
            id=new_id(),
            actor=f"user:{username}",
            action=action,
            outcome="accepted",
            organization_id=self.organization["id"],
            project_id=found["project_id"],
            subject_id=found["id"],
            subject_name=found["name"],
            detail={"kind": action.split(":")[1]},
        )
        self.audit.insert(0, event)

    def _end(self, job: Json, state: str, error: dict[str, str] | None) -> None:
        job.update(state=state, finished_at=now(), error=error)
        collection = next(name for name, kind in KINDS.items() if kind.member == job["resource_kind"])
        mine = self.resources[job["project_id"], collection]
        resource = next(each for each in mine if each["id"] == job["resource_id"])
        effect = self.effects[job["id"]]
        if error is not None:
            resource.update(status="FAILED", detail=error["detail"])
        elif effect.get("status") == "DELETED":
            mine.remove(resource)
        else:
            job["output"] = effect.get("output", {})
            resource.update({name: value for name, value in effect.items() if name != "output"})
        resource["version"] += 1
        self.changed.notify_all()
