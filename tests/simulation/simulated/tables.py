# SPDX-License-Identifier: Apache-2.0
"""The tables of the in-memory store, what watches them change, and which rules are switched on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from stratoplane.jobs import LIVE

Row = dict[str, Any]
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
LIVE_STATES = frozenset(state.value for state in LIVE)
OPEN_STATES = frozenset({"QUEUED", "OFFERED", "RUNNING"})


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules that keep the promises; a mutation switches one off, and the simulation must notice.

    Attributes:
        fence: what comes back with an older epoch is refused.
        lease: a job that a worker holds is not given to another.
        outbox: what is to be told is told: by the outbox, and by looking where a wake-up was lost.
        sweeper: operations that nobody reports are ended.
        observe_first: an attempt after a doubtful one looks before it acts.
    """

    fence: bool = True
    lease: bool = True
    outbox: bool = True
    sweeper: bool = True
    observe_first: bool = True


class Watch:
    """Hears of every change; the base class says nothing to it."""

    def job(self, before: Row | None, after: Row) -> None:
        """A job was made or changed."""

    def claimed(self, before: Row, now: float) -> None:
        """A worker took a job that stood as ``before``."""

    def persisted(self, before: Row, epoch: int) -> None:
        """An update of the claim ``epoch`` was applied to a job."""

    def resource(self, before: Row | None, after: Row) -> None:
        """A resource was made or changed."""

    def operation_made(self, operation: Row, job: Row) -> None:
        """A driver call is on offer."""

    def result_taken(self, operation: Row, epoch: int, result: Mapping[str, Any]) -> None:
        """A result of ``epoch`` was applied to an operation that stands at its own."""


@dataclass(kw_only=True)
class Tables:
    """Rows by id, as the database has them; times are seconds of the database's clock.

    Attributes:
        clock: the database's clock.
        notify: told channel and payload, as ``pg_notify`` is.
    """

    clock: Callable[[], float]
    new_id: Callable[[], UUID]
    rules: Rules = field(default_factory=Rules)
    watch: Watch = field(default_factory=Watch)
    jobs: dict[UUID, Row] = field(default_factory=dict)
    steps: dict[UUID, list[Row]] = field(default_factory=dict)
    operations: dict[UUID, Row] = field(default_factory=dict)
    resources: dict[UUID, Row] = field(default_factory=dict)
    links: dict[tuple[UUID, UUID, str], int] = field(default_factory=dict)
    quota: dict[tuple[UUID, str], Row] = field(default_factory=dict)
    clusters: dict[UUID, Row] = field(default_factory=dict)
    circuits: dict[UUID, Row] = field(default_factory=dict)
    answers: dict[tuple[UUID, str], Row] = field(default_factory=dict)
    leaks: list[Row] = field(default_factory=list)
    outbox: list[UUID] = field(default_factory=list)
    inventory: dict[tuple[UUID, UUID], Row] = field(default_factory=dict)
    listings: dict[tuple[UUID, str], float] = field(default_factory=dict)
    notify: Callable[[str, str], None] = lambda _channel, _payload: None
    # Job ids by resource and the latest operation by job: what the database's indexes answer.
    _jobs_of: dict[UUID, list[UUID]] = field(default_factory=dict)
    _operations_of: dict[UUID, list[UUID]] = field(default_factory=dict)

    @property
    def now(self) -> float:
        return self.clock()

    def wall(self) -> datetime:
        """Return the database's clock as the services read it."""
        return EPOCH + timedelta(seconds=self.now)

    def add_job(self, row: Row) -> None:
        self.jobs[row["id"]] = row
        self._jobs_of.setdefault(row["resource_id"], []).append(row["id"])
        self.watch.job(None, row)

    def change_job(self, job_id: UUID, **columns: Any) -> Row:
        before = self.jobs[job_id]
        after = self.jobs[job_id] = {**before, **columns}
        self.watch.job(before, after)
        return after

    def add_operation(self, row: Row) -> None:
        self.operations[row["id"]] = row
        self._operations_of.setdefault(row["job_id"], []).append(row["id"])
        self.watch.operation_made(row, self.jobs[row["job_id"]])

    def change_operation(self, operation_id: UUID, **columns: Any) -> Row:
        after = self.operations[operation_id] = {**self.operations[operation_id], **columns}
        return after

    def change_resource(self, resource_id: UUID, **columns: Any) -> Row:
        before = self.resources[resource_id]
        after = self.resources[resource_id] = {**before, "version": before["version"] + 1, **columns}
        self.watch.resource(before, after)
        return after

    def jobs_of(self, resource_id: UUID) -> list[Row]:
        """Return the live jobs of a resource, the oldest first."""
        rows = [self.jobs[each] for each in self._jobs_of.get(resource_id, ())]
        return sorted((row for row in rows if is_live(row)), key=lambda row: (row["created_at"], row["id"]))

    def operations_of(self, job_id: UUID) -> list[Row]:
        return [self.operations[each] for each in self._operations_of.get(job_id, ())]

    def tell(self, job_ids: list[UUID]) -> None:
        """Write wake-ups into the outbox."""
        if self.rules.outbox:
            self.outbox += job_ids
            self.notify("outbox", "")


def new_steps(names: Sequence[str]) -> list[Row]:
    """Return the rows of steps that have not begun."""
    return [
        {"position": at, "name": name, "state": "PENDING", "attempts": 0, "output": {}, "error": None}
        for at, name in enumerate(names)
    ]


def row_of(value: Any) -> Row:
    """Return a dataclass as a row: its members by their names, as they are."""
    return {each.name: getattr(value, each.name) for each in fields(value)}


def is_live(job: Row) -> bool:
    return job["state"] in LIVE_STATES
