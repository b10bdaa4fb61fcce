# SPDX-License-Identifier: Apache-2.0
"""``stratoplane job``."""

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.any_object import any_id
from stratoplane_client.cli.groups import ProjectNoun
from stratoplane_client.cli.output import Column, show_done, show_many, show_one
from stratoplane_client.cli.parameters import id_argument, key_option, limit_option, timeout_option
from stratoplane_client.cli.progress import watching
from stratoplane_client.cli.session import Session

if TYPE_CHECKING:
    from stratoplane_client.models.jobs import Job, JobStep

_COLUMNS = (
    Column("JOB", lambda each: each.kind),
    Column("RESOURCE", lambda each: each.resource_name or "-"),
    Column("STATE", lambda each: each.state),
    Column("PROGRESS", lambda each: f"{each.progress.done}/{each.progress.total}"),
    Column("STEP", lambda each: each.progress.step or "-"),
    Column("DURATION", lambda each: tables.duration(each.created_at, each.finished_at)),
    Column("CREATED BY", lambda each: each.created_by),
    Column("AGE", lambda each: tables.age(each.created_at)),
    Column("ID", lambda each: each.id),
)


_CALLS = (
    Column("STEP", lambda each: each.step),
    Column("VERB", lambda each: each.verb),
    Column("STATE", lambda each: each.state),
    Column("OUTCOME", lambda each: each.outcome or "-"),
    Column("CLUSTER", lambda each: each.cluster),
    Column("AGENT", lambda each: each.agent or "-"),
    Column("DURATION", lambda each: tables.duration(each.acknowledged_at, each.finished_at)),
    Column("AGE", lambda each: tables.age(each.created_at)),
    Column("PROVIDER", lambda each: each.provider_text or each.detail or "-"),
)


@click.group("job", cls=ProjectNoun)
def command() -> None:
    """Jobs that carry out changes, and their results."""


@command.command("list")
@click.option("--status", metavar="STATE", help="Only those in this state, such as FAILED.")
@click.option("--resource", metavar="NAME|ID", help="Only those of this resource; vm/NAME if several kinds have one.")
@click.option("--all-orgs", is_flag=True, help="For operators: jobs of every organization.")
@limit_option(50)
@click.pass_obj
def list_jobs(session: Session, status: str | None, resource: str | None, all_orgs: bool, most: int) -> None:  # noqa: FBT001
    """List jobs, newest first."""
    from stratoplane_client.reading import is_id

    session.does("list jobs")
    state = status and status.upper()
    if all_orgs and resource is not None and not is_id(resource):
        raise click.UsageError("with --all-orgs, --resource takes an id: a name is one of a project")
    resource_id = None if resource is None else any_id(session, resource)
    if all_orgs:
        found = session.client.operator.jobs.list(status=state, resource_id=resource_id)
    else:
        found = session.client.jobs(session.project_id).list(
            status=state, resource_id=resource_id, page_size=min(most, 200)
        )
    show_many(session, islice(found, most), _COLUMNS, nothing="No jobs match.")


@command.command("show")
@id_argument("job_id", "job")
@click.option("--all-orgs", is_flag=True, help="For operators: a job of any organization.")
@click.pass_obj
def show(session: Session, job_id: str, all_orgs: bool) -> None:  # noqa: FBT001
    """Show one job with its steps."""
    session.does(f"show job {job_id}", "job")
    show_one(session, _jobs(session, all_orgs).get(job_id), _details)


@command.command("wait")
@id_argument("job_id", "job")
@timeout_option(600.0)
@click.pass_obj
def wait(session: Session, job_id: str, timeout: float) -> None:
    """Wait until a job has ended; fail if the job has failed."""
    session.does(f"wait for job {job_id}", "job")
    session.interrupted = f"Stopped waiting; job {job_id} continues."
    with watching("job") as watcher:
        job = session.client.jobs(session.project_id).wait(job_id, timeout=timeout, progress=watcher)
    took = tables.duration(job.created_at, job.finished_at)
    show_done(session, job, f"job {job.id}: {job.kind} of {job.resource_name} {job.state}, took {took}")


def _keyed(idempotency_key: str | None) -> dict[str, str]:
    return {} if idempotency_key is None else {"idempotency_key": idempotency_key}


def _jobs(session: Session, all_orgs: bool, idempotency_key: str | None = None) -> Any:  # noqa: FBT001  # as given on the command line
    if all_orgs and idempotency_key is not None:
        raise click.UsageError("--idempotency-key cannot be used with --all-orgs; the operators' API takes no keys")
    return session.client.operator.jobs if all_orgs else session.client.jobs(session.project_id)


@command.command("cancel")
@id_argument("job_id", "job")
@click.option("--all-orgs", is_flag=True, help="For operators: a job of any organization.")
@key_option
@click.pass_obj
def cancel(session: Session, job_id: str, all_orgs: bool, idempotency_key: str | None) -> None:  # noqa: FBT001
    """Cancel a job; its completed steps are undone."""
    session.does(f"cancel job {job_id}", "job")
    job = _jobs(session, all_orgs, idempotency_key).cancel(job_id, **_keyed(idempotency_key))
    show_done(session, job, f"job {job.id}: cancellation of {job.kind} of {job.resource_name} requested")


@command.command("retry")
@id_argument("job_id", "job")
@click.option("--all-orgs", is_flag=True, help="For operators: a job of any organization.")
@key_option
@click.pass_obj
def retry(session: Session, job_id: str, all_orgs: bool, idempotency_key: str | None) -> None:  # noqa: FBT001
    """Run a waiting job now, or start a failed create or delete again."""
    session.does(f"retry job {job_id}", "job")
    job = _jobs(session, all_orgs, idempotency_key).retry(job_id, **_keyed(idempotency_key))
    show_done(session, job, f"job {job.id}: {job.kind} of {job.resource_name} {job.state}")


@command.command("resolve")
@id_argument("job_id", "job")
@click.option("--note", required=True, metavar="TEXT", help="Reason, for the audit trail.")
@click.pass_obj
def resolve(session: Session, job_id: str, note: str) -> None:
    """End a job immediately; what it had created is recorded as leaks (operators)."""
    session.does(f"resolve job {job_id}", "job")
    job = session.client.operator.jobs.resolve(job_id, note=note)
    show_done(
        session, job, f"job {job.id}: {job.kind} of {job.resource_name} {job.state}; check 'stratoplane leak list'"
    )


@command.command("operations")
@id_argument("job_id", "job")
@click.pass_obj
def operations(session: Session, job_id: str) -> None:
    """List the driver calls of a job, oldest first (operators)."""
    session.does(f"list operations of job {job_id}", "job")
    found = session.client.operator.jobs.operations(job_id)
    show_many(session, found, _CALLS, nothing="The job has no driver calls.")


def _details(each: "Job") -> Iterable[tuple[str, str]]:
    yield "Job", each.kind
    yield "Id", each.id
    yield "State", each.state
    yield "Resource", f"{each.resource_kind} {each.resource_name} {each.resource_id}"
    yield "Steps", "\n".join(map(_step, each.steps)) or "-"
    if each.error is not None:
        yield "Error", f"{each.error.detail} ({each.error.code})"
        yield "Provider", each.error.provider_text or "-"
    yield "Attempts", str(each.attempts)
    if each.next_run_at is not None:
        yield "Next run", tables.age(each.next_run_at)
    if each.cancelled_by:
        yield "Cancellation", f"requested by {each.cancelled_by} at {tables.timestamp(each.cancel_requested_at)}"
    yield "Created by", each.created_by
    yield "Created", tables.timestamp(each.created_at)
    yield "Finished", tables.timestamp(each.finished_at)
    yield "Duration", tables.duration(each.created_at, each.finished_at)
    yield "Request", each.request_id or "-"
    yield "Trace", each.trace_id or "-"


def _step(each: "JobStep") -> str:
    took = tables.duration(each.started_at, each.finished_at)
    again = f", {each.attempts} attempts" if each.attempts > 1 else ""
    wrong = f": {each.error.detail}" if each.error is not None else ""
    if each.waits_for:
        wrong += f", waiting for {each.waits_for}"
    return f"{each.name} {each.state} {took}{again}{wrong}"
