# SPDX-License-Identifier: Apache-2.0
"""The progress of a job that is waited for: a bar on a terminal, a line for each step elsewhere."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from stratoplane_client.cli.tables import plain

if TYPE_CHECKING:
    from stratoplane_client.models.jobs import Job

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
        yield _Lines(what)


class _Lines:
    """Writes a line when the state or the step changes."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._last = ""

    def __call__(self, job: "Job") -> None:
        step = f", {job.progress.step}" if job.progress.step and not job.ended else ""
        line = f"{self._what}: {job.state} {job.progress.done}/{job.progress.total}{step}"
        if line != self._last:
            click.echo(plain(line), err=True)
        self._last = line


@contextmanager
def _bar(what: str) -> Iterator[Watcher]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[step]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None, step="")

        def show(job: "Job") -> None:
            step = f"{job.state.lower()} {job.progress.step or ''}".rstrip()
            progress.update(task, total=job.progress.total or None, completed=job.progress.done, step=step)

        yield show
