# SPDX-License-Identifier: Apache-2.0
"""``stratoplane job``."""

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.groups import ProjectNoun
from stratoplane_client.cli.output import Column, show_done, show_many, show_one
from stratoplane_client.cli.parameters import limit_option, timeout_option
from stratoplane_client.cli.progress import watching
from stratoplane_client.cli.session import Session

if TYPE_CHECKING:
    from stratoplane_client.models.jobs import Job, JobStep

_COLUMNS = (
    Column("JOB", lambda each: each.kind),
    Column("OF", lambda each: each.resource_name or "-"),
    Column("STATE", lambda each: each.state),
    Column("DONE", lambda each: f"{each.progress.done}/{each.progress.total}"),
    Column("STEP", lambda each: each.progress.step or "-"),
    Column("TOOK", lambda each: tables.duration(each.created_at, each.finished_at)),
    Column("BY", lambda each: each.created_by),
    Column("AGE", lambda each: tables.age(each.created_at)),
    Column("ID", lambda each: each.id),
)


@click.group("job", cls=ProjectNoun)
def command() -> None:
    """What is being done, and how it went."""


@command.command("list")
@click.option("--status", metavar="STATE", help="Only those in this state, as FAILED.")
@click.option("--resource", "resource_id", metavar="ID", help="Only those of this resource.")
@click.option("--all-orgs", is_flag=True, help="For operators: jobs of every organization.")
@limit_option(50)
@click.pass_obj
def list_jobs(session: Session, status: str | None, resource_id: str | None, all_orgs: bool, most: int) -> None:  # noqa: FBT001
    """List jobs, newest first."""
    session.does("list jobs")
    state = status and status.upper()
    if all_orgs:
        found = session.client.operator.jobs.list(status=state, resource_id=resource_id)
    else:
        found = session.client.jobs(session.project_id).list(
            status=state, resource_id=resource_id, page_size=min(most, 200)
        )
    show_many(session, islice(found, most), _COLUMNS, nothing="There are no such jobs.")


@command.command("show")
@click.argument("job_id", metavar="ID")
@click.option("--all-orgs", is_flag=True, help="For operators: a job of any organization.")
@click.pass_obj
def show(session: Session, job_id: str, all_orgs: bool) -> None:  # noqa: FBT001
    """Show one job with its steps."""
    session.does(f"show job {job_id}", "job")
    jobs = session.client.operator.jobs if all_orgs else session.client.jobs(session.project_id)
    show_one(session, jobs.get(job_id), _sheet)


@command.command("wait")
@click.argument("job_id", metavar="ID")
@timeout_option(600.0)
@click.pass_obj
def wait(session: Session, job_id: str, timeout: float) -> None:
    """Wait until a job has ended; fails if the job did."""
    session.does(f"wait for job {job_id}", "job")
    session.interrupted = f"Stopped waiting; job {job_id} goes on."
    with watching("job") as watcher:
        job = session.client.jobs(session.project_id).wait(job_id, timeout=timeout, progress=watcher)
    took = tables.duration(job.created_at, job.finished_at)
    show_done(session, job, f"job {job.id}: {job.kind} of {job.resource_name} {job.state}, took {took}")


def _sheet(each: "Job") -> Iterable[tuple[str, str]]:
    yield "Job", each.kind
    yield "Id", each.id
    yield "State", each.state
    yield "Of", f"{each.resource_kind} {each.resource_name} {each.resource_id}"
    yield "Steps", "\n".join(map(_step, each.steps)) or "-"
    if each.error is not None:
        yield "Error", f"{each.error.detail} ({each.error.code})"
        yield "Provider", each.error.provider_text or "-"
    yield "Tries", str(each.attempts)
    yield "By", each.created_by
    yield "Created", tables.moment(each.created_at)
    yield "Ended", tables.moment(each.finished_at)
    yield "Took", tables.duration(each.created_at, each.finished_at)
    yield "Request", each.request_id or "-"
    yield "Trace", each.trace_id or "-"


def _step(each: "JobStep") -> str:
    took = tables.duration(each.started_at, each.finished_at)
    again = f", {each.attempts} tries" if each.attempts > 1 else ""
    wrong = f": {each.error.detail}" if each.error is not None else ""
    return f"{each.name} {each.state} {took}{again}{wrong}"
