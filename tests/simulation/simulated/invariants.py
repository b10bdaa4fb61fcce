# SPDX-License-Identifier: Apache-2.0
"""What must hold at every step, and what must hold when everything has come to rest."""

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from stratoplane.jobs import TERMINAL, TRANSITIONS, JobState
from stratoplane.resources import TRANSITIONS as RESOURCE_TRANSITIONS
from stratoplane.resources import ResourceStatus
from tests.simulation.simulated.provider import Region
from tests.simulation.simulated.tables import OPEN_STATES, Row, Tables, Watch, is_live

_ENDED = frozenset(state.value for state in TERMINAL)
_ALIVE = ("ACTIVE", "RUNNING", "STOPPED")
_KEPT = ("crashes", "state", "position", "undoing", "error", "epoch", "output")


class Inspector(Watch):
    """Checks each change as it happens and collects what is wrong.

    Attributes:
        violations: what was found, in words.
    """

    def __init__(self) -> None:
        self.tables: Tables | None = None
        self.violations: list[str] = []
        self.states: Counter[str] = Counter()
        self._permanent: set[tuple[UUID, int, bool]] = set()

    def _wrong(self, words: str) -> None:
        self.violations.append(words)

    def job(self, before: Row | None, after: Row) -> None:
        self.states[after["state"]] += before is None or before["state"] != after["state"]
        if before is None:
            return
        if after["epoch"] < before["epoch"]:
            self._wrong(f"the epoch of job {after['id']} went back from {before['epoch']} to {after['epoch']}")
        if before["state"] in _ENDED:
            if any(before[key] != after[key] for key in _KEPT):
                self._wrong(f"job {after['id']} had ended as {before['state']} and was changed")
        elif before["state"] != after["state"] and after["state"] not in TRANSITIONS[JobState(before["state"])]:
            self._wrong(f"job {after['id']} went from {before['state']} to {after['state']}")

    def claimed(self, before: Row, now: float) -> None:
        if before["lease_until"] is not None and before["lease_until"] >= now:
            self._wrong(f"job {before['id']} was claimed while {before['lease_owner']} held its lease")

    def persisted(self, before: Row, epoch: int) -> None:
        if before["epoch"] != epoch:
            self._wrong(f"an update of epoch {epoch} was applied to job {before['id']} at epoch {before['epoch']}")

    def result_taken(self, operation: Row, epoch: int, result: Mapping[str, Any]) -> None:
        if operation["epoch"] != epoch or operation["state"] not in OPEN_STATES:
            self._wrong(f"a stale result of epoch {epoch} was applied to operation {operation['id']}")
        if result["outcome"] == "permanent":
            self._permanent.add(self._attempt(operation))

    def operation_made(self, operation: Row, job: Row) -> None:
        assert self.tables is not None
        if self._attempt(operation) in self._permanent:
            self._wrong(f"job {job['id']} repeats step {operation['position']} after a permanent error")
        others = (each for each in self.tables.operations.values() if each["resource_id"] == operation["resource_id"])
        if sum(each["state"] in OPEN_STATES for each in others) > 1:
            self._wrong(f"two operations at once for resource {operation['resource_id']}")

    def _attempt(self, operation: Row) -> tuple[UUID, int, bool]:
        assert self.tables is not None
        return operation["job_id"], operation["position"], self.tables.jobs[operation["job_id"]]["undoing"]

    def resource(self, before: Row | None, after: Row) -> None:
        if before is None or before["status"] == after["status"]:
            return
        if ResourceStatus(after["status"]) not in RESOURCE_TRANSITIONS[ResourceStatus(before["status"])]:
            self._wrong(f"resource {after['id']} went from {before['status']} to {after['status']}")

    def check_accounts(self) -> None:
        """Check that quotas and claims are what the resources hold, counted again, and within their limits."""
        assert self.tables is not None
        held: Counter[tuple[UUID, str]] = Counter()
        for row in self.tables.resources.values():
            for key, amount in row["quota_usage"].items():
                for scope in (row["organization_id"], row["project_id"], row["cluster_id"]):
                    held[scope, key] += amount
        for (scope, key), line in self.tables.quota.items():
            if line["used"] != held[scope, key] or line["used"] > line["limit_amount"]:
                self._wrong(f"quota {key}: {line['used']} used of {line['limit_amount']}, held {held[scope, key]}")
        for cluster_id, cluster in self.tables.clusters.items():
            for key in ("vcpus", "memory_mib", "storage_gib"):
                if cluster[f"{key}_claimed"] != held[cluster_id, key]:
                    self._wrong(f"cluster {cluster_id}: {cluster[f'{key}_claimed']} {key} claimed, not what is held")

    def check_rest(self, regions: Mapping[UUID, Region], orphans: frozenset[UUID]) -> None:
        """Check what must hold when everything has come to rest."""
        assert self.tables is not None
        for job in self.tables.jobs.values():
            if is_live(job):
                self._wrong(f"job {job['id']} ({job['kind']}) never ended; it is {job['state']}")
        for operation in self.tables.operations.values():
            if operation["state"] in OPEN_STATES:
                self._wrong(f"operation {operation['id']} ({operation['verb']}) never ended")
        said = orphans | {leak["resource_id"] for leak in self.tables.leaks}
        for row in self.tables.resources.values():
            self._check_object(row, regions[row["cluster_id"]], said)
        for cluster_id, region in regions.items():
            self._check_region(cluster_id, region)
        self.check_accounts()

    def _check_object(self, row: Row, region: Region, said: frozenset[UUID]) -> None:
        words, found = f"{row['kind']} {row['id']}", region.found(row["kind"], row["id"])
        status = row["status"]
        if status in ("PENDING", "UPDATING", "DELETING"):
            self._wrong(f"{words} is {status} for ever")
        elif status in _ALIVE and len(found) != 1:
            self._wrong(f"{words} is {status} and there are {len(found)} of it")
        elif (
            found and row["id"] not in said and (status == "DELETED" or (status == "FAILED" and not row["quota_usage"]))
        ):
            self._wrong(f"{words} is {status} and still there, and nobody says so")
        elif status in ("RUNNING", "STOPPED") and row["spec"]["power"] != region.objects[found[0]].status.power.value:
            self._wrong(f"{words} has the wrong power")

    def _check_region(self, cluster_id: UUID, region: Region) -> None:
        assert self.tables is not None
        self.violations += [f"two objects for {uid} on cluster {cluster_id}" for uid in sorted(region.double)]
        for native in region.objects.values():
            if native.status.uid not in self.tables.resources:
                self._wrong(f"an orphan: {native.kind} {native.status.uid}")
