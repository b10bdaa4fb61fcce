# SPDX-License-Identifier: Apache-2.0
"""The same commands to PostgreSQL and to the in-memory store, and whether both now say the same.

The database's clock cannot be turned, so time passes there by moving every stored time into the past.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import psycopg

from engine.tests.lifecycle.tenant_world import insert_row
from stratoplane.messages import Operation, OperationReference, OperationResult, Outcome
from stratoplane_engine.db import changes, claims, job_control, operations, outbox
from stratoplane_engine.db.changes import ChangeRows, RefusedError
from stratoplane_engine.db.connection import Connection, Database, Document
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.jobs.claims import ClaimedJob, read_claim
from stratoplane_engine.jobs.persist import persist_updates
from stratoplane_engine.jobs.runner import JobUpdate, advance
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS
from stratoplane_engine.model.job import JobError, StepError
from tests.simulation.simulated import job_rows, operation_rows
from tests.simulation.simulated.acceptance_rows import VolumeTakenError, accept
from tests.simulation.simulated.engine_processes import persist_updates as persist_in_memory
from tests.simulation.simulated.kernel import Kernel
from tests.simulation.simulated.tables import EPOCH, OPEN_STATES, Tables, is_live, row_of
from tests.simulation.simulated.tenants import LIMITS, Tenant, cluster_row

_TIMES = {
    "job": ("lease_until", "next_run_at", "deadline_at", "created_at"),
    "operation": ("offered_until", "deadline_at"),
    "circuit": ("open_until",),
    "resource": ("updated_at", "created_at"),
}
_CLOSE_SECONDS = 0.5
_JOB = ("id", "state", "cancelled_by", "epoch", "position", "undoing", "attempts", "crashes")
_RESOURCE = ("id", "status", "generation", "observed_generation")
_ENDINGS = ("done", "done", "done", "transient", "uncertain", "permanent", "busy")
_WALL = ("created_at", "updated_at", "deadline_at", "next_run_at", "expires_at", "occurred_at")


class Twin:
    """Both stores, and a seeded course of commands over them."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database = database
        self.shift = 0.0
        self.now = 0.0
        self.kernel = Kernel(seed)
        self.generator = self.kernel.generator
        self.tables = Tables(clock=lambda: self.now, new_id=self.kernel.new_id)
        self.held: list[JobUpdate] = []
        self.offered: list[OperationReference] = []
        self._tick()
        self.cluster_id = self.kernel.new_id()
        self.tables.clusters[self.cluster_id] = cluster_row()
        self.tenants = [Tenant(self.kernel, self.tables, [self.cluster_id]) for _ in range(2)]
        for tenant in self.tenants:
            tenant.accept = self._accept
        self._furnish()

    def step(self) -> str:
        """Give one command to both, compare, and return what it was."""
        commands: tuple[Callable[[], None], ...] = (
            self._ask,
            self._ask,
            self._ask,
            self._claim,
            self._claim,
            self._persist,
            self._persist,
            self._persist,
            self._offer,
            self._acknowledge,
            self._report,
            self._report,
            self._sweep,
            self._cancel,
            self._let_time_pass,
            self._let_time_pass,
        )
        self._tick()
        while self._is_close():
            self._pass(1.0)
        command = self.generator.choice(commands)
        command()
        self._compare()
        return command.__name__

    # --- commands ---------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        tenant = self.generator.choice(self.tenants)
        wish = self.generator.choice(
            (tenant._wish_create, tenant._wish_create, tenant._wish_update, tenant._wish_delete)
        )
        if (ask := wish()) is not None:
            tenant.keys += 1
            ask(f"key-{self.generator.randint(max(1, tenant.keys - 1), tenant.keys)}")

    def _accept(self, rows: ChangeRows) -> None:
        refusal: Exception | None = None
        try:
            accept(self.tables, rows)
        except (RefusedError, VolumeTakenError) as error:
            refusal = error
        try:
            with self.database.tenant(rows.resource.organization_id) as connection:
                changes.write_change(connection, self._for_real(rows))
        except (RefusedError, psycopg.IntegrityError) as error:
            if refusal is None:
                raise AssertionError(f"only PostgreSQL refused: {vars(error)}") from error
            raise refusal from error
        assert refusal is None, f"only the model refused: {vars(refusal)}"

    def _for_real(self, rows: ChangeRows) -> ChangeRows:
        """Return what a change writes with the times of PostgreSQL's clock."""
        return replace(
            rows,
            resource=self._shifted(rows.resource),
            job=rows.job and self._shifted(rows.job),
            audit=self._shifted(rows.audit),
            answer=rows.answer and self._shifted(rows.answer),
        )

    def _shifted(self, value: Any) -> Any:
        times = {name: getattr(value, name, None) for name in _WALL}
        back = timedelta(seconds=self.shift)
        return replace(value, **{name: each - back for name, each in times.items() if each is not None})

    def _claim(self) -> None:
        start, seed = UUID(int=self.generator.getrandbits(128)), self.generator.random()
        limit = self.generator.choice((1, 2, 100))
        with self.database.system() as connection:
            real = {each.id: each for each in claims.claim(connection, owner="worker", limit=limit, start=start)}
        modelled = {each.id: each for each in job_rows.claim(self.tables, owner="worker", limit=limit, start=start)}
        assert real.keys() == modelled.keys()
        for identifier, claim in real.items():
            assert (claim.share, claim.crashes) == (modelled[identifier].share, modelled[identifier].crashes)
            update = _moved(read_claim(claim, BUILTIN_KINDS), seed)
            assert _comparable(update) == _comparable(_moved(read_claim(modelled[identifier], BUILTIN_KINDS), seed))
            if update.operation:
                update = replace(update, operation=replace(update.operation, id=self.kernel.new_id()))
            self.held.append(update)

    def _persist(self) -> None:
        """Persist held updates, some of them stale by now, some of them for the second time."""
        for update in self.generator.sample(self.held, min(len(self.held), 2)):
            if self.generator.random() < 0.8:
                self.held.remove(update)
            if update.operation and update.operation.id in self.tables.operations:
                continue
            with self.database.system() as connection:
                real = persist_updates(connection, [update])
            self.tables.new_id = partial(_operation_id, update)
            assert persist_in_memory(self.tables, [update]) == real

    def _offer(self) -> None:
        agent = self.kernel.new_id()
        with self.database.system() as connection:
            real = operations.offer(connection, self.cluster_id, agent, 100)
        modelled = operation_rows.offer(self.tables, self.cluster_id, agent, 100, UUID(int=0))
        if self.tables.circuits.get(self.cluster_id, {}).get("trips"):
            modelled = self._same_probe(real, modelled)
        found = [(row["id"], row["epoch"], row["observe_first"], row["spec"]) for row in modelled]
        assert [(each.id, each.epoch, each.observe_first, each.spec) for each in real] == found
        self.offered += [OperationReference(id=each.id, epoch=each.epoch) for each in real]

    def _same_probe(self, real: list[Operation], modelled: list[Any]) -> list[Any]:
        """Let the model's probe be the one that PostgreSQL drew, since the turn of organizations is drawn inside."""
        assert len(real) == len(modelled)
        if real and real[0].id != modelled[0]["id"]:
            wrong = modelled[0]
            self.tables.change_operation(wrong["id"], state="QUEUED", epoch=wrong["epoch"] - 1)
            right = self.tables.operations[real[0].id]
            until = wrong["offered_until"]
            offered = {"state": "OFFERED", "epoch": right["epoch"] + 1, "offered_until": until}
            return [self.tables.change_operation(right["id"], **offered)]
        return modelled

    def _acknowledge(self) -> None:
        chosen = self.generator.sample(self.offered, min(len(self.offered), 3))
        with self.database.system() as connection:
            real = operations.acknowledge(connection, self.cluster_id, chosen)
        assert operation_rows.acknowledge(self.tables, self.cluster_id, chosen) == real

    def _report(self) -> None:
        if not self.offered:
            return
        reference = self.generator.choice(self.offered)
        operation = self.tables.operations[reference.id]
        ending = self.generator.choice(_ENDINGS)
        result = OperationResult(
            id=reference.id,
            epoch=reference.epoch,
            outcome=Outcome.TRANSIENT if ending == "busy" else Outcome(ending),
            code=ending,
            status={**operation["spec"], "provider_reference": "n"} if operation["verb"] != "delete" else None,
        )
        with self.database.system() as connection:
            real = operations.report(connection, self.cluster_id, [result])
        assert operation_rows.report(self.tables, self.cluster_id, [result]) == real

    def _sweep(self) -> None:
        with self.database.system() as connection:
            real = (
                operations.abandon(connection, 1000),
                outbox.mend_stranded_jobs(connection),
                outbox.overlooked_jobs(connection, grace_seconds=0.0, limit=1000),
            )
        modelled = (operation_rows.abandon(self.tables), operation_rows.mend_stranded_jobs(self.tables))
        self._tick()
        assert (*modelled, operation_rows.overlooked_jobs(self.tables)) == real

    def _cancel(self) -> None:
        live = sorted(each for each, job in self.tables.jobs.items() if is_live(job))
        if live and self.generator.random() < 0.4:
            chosen = self.generator.choice(live)
            with self.database.system() as connection:
                real = job_control.cancel(connection, chosen, actor="user:alice")
            assert operation_rows.cancel(self.tables, chosen, actor="user:alice") == real

    def _let_time_pass(self) -> None:
        self._pass(self.generator.choice((3.0, 20.0, 35.0, 300.0, 700.0)))

    def _pass(self, seconds: float) -> None:
        with self.database.system() as connection:
            for table, columns in _TIMES.items():
                moved = ", ".join(f"{each} = {each} - make_interval(secs => {seconds})" for each in columns)
                connection.run(Statement(f"UPDATE {table} SET {moved}"))  # noqa: S608  # our own names
        self.shift += seconds
        self._tick()

    # --- comparison -------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        with self.database.system() as connection:
            [clock] = connection.values(datetime, Statement("SELECT clock_timestamp()"))
        self.now = self._modelled(clock)

    def _is_close(self) -> bool:
        """Tell whether any stored time comes so soon that it may come for one of the two only."""
        rows = (("job", self.tables.jobs), ("operation", self.tables.operations), ("circuit", self.tables.circuits))
        times = (row.get(column) for table, found in rows for row in found.values() for column in _TIMES[table])
        return any(each is not None and 0.0 <= each - self.now < _CLOSE_SECONDS for each in times)

    def _modelled(self, moment: datetime) -> float:
        return (moment - EPOCH).total_seconds() + self.shift

    def _compare(self) -> None:
        with self.database.system() as connection:
            self._compare_times(connection)
            for statement, modelled in self._views().items():
                real = {tuple(row.values()) for row in connection.documents(Statement(statement))}
                assert real == {*modelled}, statement

    def _compare_times(self, connection: Connection) -> None:
        """Compare times to within a command's, and take over the exact ones, so that no order differs."""
        for table, rows in (("job", self.tables.jobs), ("operation", self.tables.operations)):
            columns = _TIMES[table]
            statement = Statement(f"SELECT id, {', '.join(columns)} FROM {table}")  # noqa: S608  # our own names
            for found in connection.documents(statement):
                for column in columns:
                    stored, row = _time(found[column]), rows[_identifier(found)]
                    real, modelled = None if stored is None else self._modelled(stored), row.get(column)
                    if column == "deadline_at" and table == "operation" and row["state"] not in OPEN_STATES:
                        continue
                    assert _are_near(real, modelled), f"{table}.{column}: {real} and {modelled}"
                    row[column] = real

    def _views(self) -> dict[str, Any]:
        """Return the rows that the model expects for each statement."""
        return {
            "SELECT id, state, cancelled_by, epoch, position, undoing, attempts, crashes, error->>'code' FROM job": (
                (*_chosen(job, _JOB), (job["error"] or {}).get("code")) for job in self.tables.jobs.values()
            ),
            "SELECT job_id, position, state, attempts FROM job_step": (
                (job_id, *_chosen(step, ("position", "state", "attempts")))
                for job_id, steps in self.tables.steps.items()
                for step in steps
            ),
            "SELECT id, state, epoch, observe_first, result->>'outcome' FROM operation": (
                (*_chosen(row, ("id", "state", "epoch", "observe_first")), (row["result"] or {}).get("outcome"))
                for row in self.tables.operations.values()
            ),
            "SELECT id, status, generation, observed_generation, quota_usage->>'storage_gib' FROM resource": (
                (*_chosen(row, _RESOURCE), _text(row["quota_usage"].get("storage_gib")))
                for row in self.tables.resources.values()
            ),
            "SELECT source_id, target_id, role FROM resource_link": self.tables.links.keys(),
            "SELECT scope_id, key, used FROM quota": ((*each, row["used"]) for each, row in self.tables.quota.items()),
            "SELECT job_id, step FROM leak": ((row["job_id"], row["step"]) for row in self.tables.leaks),
            "SELECT budget, trips, open_until IS NULL FROM circuit": (
                (row["budget"], row["trips"], row["open_until"] is None) for row in self.tables.circuits.values()
            ),
        }

    # --- furniture --------------------------------------------------------------------------------------------------

    def _furnish(self) -> None:
        with self.database.system() as connection:
            row = self.tables.clusters[self.cluster_id]
            insert_row(connection, "cluster", {"id": self.cluster_id, "name": "cluster", **row})
            for tenant in self.tenants:
                self._add_tenant(connection, tenant)

    def _add_tenant(self, connection: Connection, tenant: Tenant) -> None:
        organization = tenant.organization_id
        word = organization.hex[:12]
        insert_row(connection, "organization", {"id": organization, "name": word})
        project = {"id": tenant.project_id, "organization_id": organization, "name": word}
        insert_row(connection, "project", project)
        for scope in (organization, tenant.project_id):
            for key, limit in LIMITS.items():
                line = {"organization_id": organization, "scope_id": scope, "key": key, "limit_amount": limit}
                insert_row(connection, "quota", line)


def _are_near(real: float | None, modelled: float | None) -> bool:
    if real is None or modelled is None:
        return real is modelled
    return abs(real - modelled) < 2.0


def _time(value: object) -> datetime | None:
    assert value is None or isinstance(value, datetime)
    return value


def _identifier(row: Document) -> UUID:
    assert isinstance(row["id"], UUID)
    return row["id"]


def _chosen(row: Any, keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[key] for key in keys)


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


def _operation_id(update: JobUpdate) -> UUID:
    assert update.operation is not None
    return update.operation.id


def _moved(job: ClaimedJob, seed: float) -> JobUpdate:
    return advance(job, random.Random(seed))


ErrorT = TypeVar("ErrorT", StepError, JobError)


def _wordless(error: ErrorT | None) -> ErrorT | None:
    """Leave out what PostgreSQL looks up for people: the store in memory knows no reasons why nobody took a call."""
    return replace(error, detail="") if error is not None and error.code == "unreachable" else error


def _comparable(update: JobUpdate) -> Any:
    operation = update.operation and replace(update.operation, id=UUID(int=0))
    steps = [replace(step, started_at=None, finished_at=None, error=_wordless(step.error)) for step in update.steps]
    return {**row_of(update), "job": None, "operation": operation, "steps": steps, "error": _wordless(update.error)}
