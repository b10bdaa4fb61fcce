# SPDX-License-Identifier: Apache-2.0
"""The progress of a job that is waited for: a bar on a terminal, lines for what changes elsewhere."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from stratoplane_client.cli.tables import plain

if TYPE_CHECKING:
    from stratoplane_client.models.jobs import Job

SETTLED_SECONDS: Final = 2.0
"""Seconds that a job stands where it is before the reason is written: most waits are over sooner."""
PAUSE_SECONDS: Final = 10.0
"""The least seconds between two lines that differ in the reason alone."""
Watcher = Callable[["Job"], None]


@contextmanager
def watching(what: str) -> Iterator[Watcher]:
    """Give what shows a job's progress on standard error.

    Args:
        what: is waited for, such as ``vm web-1``.
    """
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _bar(what) as watcher:
            yield watcher
    else:
        yield Lines(what)


class Lines:
    """Writes a line when the state or the step changes, and now and then one when only the reason to wait does."""

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Write of ``what``; ``clock`` gives seconds."""
        self._what = what
        self._clock = clock
        self._place = self._reason = ""
        self._not_before = 0.0

    def __call__(self, job: "Job") -> None:
        """Look at the job as it is now."""
        step = f", {job.progress.step}" if job.progress.step and not job.ended else ""
        place = f"{self._what}: {job.state} {job.progress.done}/{job.progress.total}{step}"
        now = self._clock()
        if place != self._place:
            click.echo(plain(place), err=True)
            self._place, self._reason = place, ""
            self._not_before = max(self._not_before, now + SETTLED_SECONDS)
        elif job.waits_for not in ("", self._reason) and now >= self._not_before:
            click.echo(plain(f"{place}, waiting for {job.waits_for}"), err=True)
            self._reason, self._not_before = job.waits_for, now + PAUSE_SECONDS


@contextmanager
def _bar(what: str) -> Iterator[Watcher]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
        TextColumn("{task.fields[step]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None, step="")

        def show(job: "Job") -> None:
            step = f"{job.state.lower()} {job.progress.step or ''}".rstrip()
            reason = f", waiting for {job.waits_for}" if job.waits_for else ""
            progress.update(
                task, total=job.progress.total or None, completed=job.progress.done, step=plain(step + reason)
            )

        yield show
