# SPDX-License-Identifier: Apache-2.0
"""Carrying out a plan: each level is begun as a whole and then waited for; what needs a failed one is left."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.apply_plan import Action, Key, Project, Step, changed, deletions, levels, resolved
from stratoplane_client.cli.failures import Exit, describe, exit_code, say
from stratoplane_client.cli.progress import watching
from stratoplane_client.errors import ClientError

_PAST = {
    Action.CREATE: "created",
    Action.CHANGE: "changed",
    Action.RETRY: "created",
    Action.DELETE: "deleted",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunMode:
    """For how many seconds each job is waited for, and the caller's name for the whole, None for none."""

    timeout: float
    idempotency_key: str | None


class Run:
    """One run of a plan.

    Attributes:
        outcomes: what became of each step that was begun or left.
        failed: the exit codes of those that failed, in their order.
    """

    def __init__(self, project: Project, mode: RunMode) -> None:
        """Begin nothing yet."""
        self._project = project
        self._session = project.session
        self._mode = mode
        self.outcomes: dict[Key, str] = {}
        self.failed: list[Exit] = []

    def carry_out(self, steps: Sequence[Step]) -> None:
        """Do everything that is to be done; deletions come last, and only if all else has succeeded."""
        for level in levels(steps):
            self._level(level)
        for level in deletions(steps):
            if self.failed:
                for each in level:
                    self._leave(each, "something else failed")
            else:
                self._level(level)

    def _level(self, level: Sequence[Step]) -> None:
        begun = []
        for each in level:
            lacking = [name for member, name in sorted(each.needs) if self.outcomes.get((member, name)) == "failed"]
            if lacking:
                self._leave(each, f"{', '.join(lacking)} failed")
                continue
            try:
                begun.append((each, self._begin(each)))
            except ClientError as error:
                self._fail(each, error)
        for each, pending in begun:
            try:
                self._finish(each, pending)
            except ClientError as error:
                self._fail(each, error)

    def _begin(self, step: Step) -> Any:
        """Send the change; return it, or the job of a retry."""
        calls = self._project.calls(step.kind)
        if self._mode.idempotency_key is not None:
            calls = calls.keyed(f"{self._mode.idempotency_key}:{step.action}:{step.noun}:{step.name}")
        if step.action is Action.CREATE:
            change = calls.or_existing().create(name=step.name, **resolved(self._project, step))
            self._project.add(step.kind, change.resource)
            return change
        existing = calls.find(step.name) if step.existing is None else step.existing
        if step.action is Action.CHANGE:
            return calls.update(existing.id, if_match=existing.etag, **changed(self._project, step))
        if step.action is Action.DELETE:
            return calls.delete(existing.id)
        jobs = self._session.client.jobs(self._session.project_id)
        return jobs.retry(next(jobs.list(resource_id=existing.id, page_size=1)).id)

    def _finish(self, step: Step, pending: Any) -> None:
        with watching(step.what) as watcher:
            if step.action is Action.RETRY:
                jobs = self._session.client.jobs(self._session.project_id)
                jobs.wait(pending.id, timeout=self._mode.timeout, progress=watcher)
            else:
                pending.wait(timeout=self._mode.timeout, progress=watcher)
        self.outcomes[step.key] = _PAST[step.action]
        if self._session.output == "table":
            click.echo(tables.plain(f"{step.what} {_PAST[step.action]}"))
        elif self._session.output == "name":
            click.echo(tables.plain(step.name))

    def _fail(self, step: Step, error: ClientError) -> None:
        self._session.does(f"{step.action} {step.what}", step.noun)
        where = f"{step.place}: " if step.place else ""
        say(f"Error: {where}{describe(self._session, error).removeprefix('Error: ')}")
        self.failed.append(exit_code(error))
        self.outcomes[step.key] = "failed"

    def _leave(self, step: Step, why: str) -> None:
        where = f"{step.place}: " if step.place else ""
        say(f"Error: {where}{step.what} is left as it is, because {why}; apply again when that is corrected.")
        self.outcomes[step.key] = "failed"
