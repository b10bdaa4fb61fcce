# SPDX-License-Identifier: Apache-2.0
"""The command of a kind of resource, with the verbs that every kind has: list, show, update, delete, wait."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from stratoplane_client.cli.changing import ChangeMode, carry_out_each, change_options, confirm, retry_on_conflict
from stratoplane_client.cli.groups import Noun, ProjectNoun
from stratoplane_client.cli.kinds import Kind, named, names_of
from stratoplane_client.cli.output import Column, show_done, show_many, show_one
from stratoplane_client.cli.parameters import completing, limit_option, relabel_options, relabelled, timeout_option
from stratoplane_client.cli.progress import watching
from stratoplane_client.cli.session import Session
from stratoplane_client.errors import ClientError

if TYPE_CHECKING:
    from stratoplane_client.jobs import Jobs
    from stratoplane_client.models.jobs import Job


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class NothingToWaitForError(ClientError):
    """The resource does not have the status waited for, and no running job can change it."""


def argument(kind: Kind, name: str = "name", *, many: bool = False) -> Decorator:
    """Return the argument that names one resource of ``kind``, or several."""
    return click.argument(
        name,
        metavar=f"{kind.noun.upper()}{'...' if many else ''}",
        nargs=-1 if many else 1,
        required=True,
        shell_complete=completing(kind.names),
    )


class KindCommand(ProjectNoun):
    """The command of one kind of resource, such as ``stratoplane network``; its creator adds ``create``.

    Attributes:
        kind: of the resources.
    """

    def __init__(
        self, kind: Kind, *, summary: str, has_jobs: bool = True, update_options: Sequence[click.Option] = ()
    ) -> None:
        """Add the verbs that every kind has.

        Args:
            kind: of the resources.
            summary: the line of help, such as ``Private networks.``.
            has_jobs: whether changes are carried out by jobs, so that there is something to wait for.
            update_options: of ``update`` beside name and labels, each called as the member that it changes.
        """
        super().__init__(kind.noun, help=summary)
        self.kind = kind
        _add_list(self, kind)
        _add_show(self, kind)
        _add_update(self, kind, update_options)
        _add_delete(self, kind)
        if has_jobs:
            _add_wait(self, kind)

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a verb; a ``create`` that takes the options of changes also gets ``--if-not-exists``."""
        if (name or cmd.name) == "create" and any(each.name == "idempotency_key" for each in cmd.params):
            help_text = "Accept a resource of that name that exists with the same specification; fail if it differs."
            cmd.params.append(click.Option(["--if-not-exists"], is_flag=True, help=help_text))
        super().add_command(cmd, name)


def _add_list(noun: Noun, kind: Kind) -> None:
    """Add the verb ``list`` to ``noun``."""

    @noun.command("list")
    @click.option("--status", metavar="STATUS", help="Only those with this status, such as RUNNING.")
    @click.option(
        "--labels", "selector", metavar="SELECTOR", help="Only those with these labels, such as env=prod,tier!=web."
    )
    @click.option("--name", "part", metavar="PART", help="Only those whose name contains this.")
    @click.option("--sort", type=click.Choice(["created_at", "-created_at", "name", "-name"]), help="Sort order.")
    @limit_option()
    @click.pass_obj
    def command(
        session: Session, status: str | None, selector: str | None, part: str | None, sort: str | None, most: int | None
    ) -> None:
        session.does(f"list {kind.plural}")
        found = kind.calls(session).list(
            status=status and status.upper(), labels=selector, name_contains=part, sort=sort
        )
        filtered = any((status, selector, part))
        nothing = f"No {kind.plural} match." if filtered else f"There are no {kind.plural} in this project."
        shown = list(islice(found, most))
        show_many(session, shown, _columns(session, kind, shown), nothing=nothing)

    command.help = f"List the {kind.plural} of the project."


def _columns(session: Session, kind: Kind, shown: Sequence[Any]) -> Sequence[Column]:
    """Return the kind's columns; those that hold ids of users show their names."""
    if not kind.lists_related or session.output != "table":
        return kind.columns
    names = names_of(session, kind, shown)
    return [Column(each.title, lambda record, cell=each.cell: named(cell(record), names)) for each in kind.columns]  # type: ignore[misc]  # bound now


def _add_show(noun: Noun, kind: Kind) -> None:
    """Add the verb ``show`` to ``noun``."""

    @noun.command("show")
    @argument(kind)
    @click.pass_obj
    def command(session: Session, name: str) -> None:
        session.does(f"show {kind.noun} {name}", kind.noun)
        found = kind.calls(session).find(name)
        names = names_of(session, kind, [found]) if session.output == "table" else {}
        show_one(session, found, lambda each: [(title, named(text, names)) for title, text in kind.details(each)])

    command.help = f"Show the details of a {kind.noun}."


def _add_update(noun: Noun, kind: Kind, options: Sequence[click.Option]) -> None:
    """Add the verb ``update``, for what every kind has, name and labels, and for members of this one."""
    names = ["--name", "--label", "--remove-label", *(option.opts[0] for option in options)]
    wanted = f"specify at least one of {', '.join(names[:-1])} and {names[-1]}"

    @noun.command("update")
    @argument(kind)
    @click.option("--name", "new_name", metavar="NAME", help="New name.")
    @relabel_options
    @change_options
    @click.pass_obj
    def command(
        session: Session,
        /,
        name: str,
        new_name: str | None,
        labels: Any,
        removed: Any,
        mode: ChangeMode,
        **members: Any,
    ) -> None:
        if not (new_name or labels or removed or any(each is not None for each in members.values())):
            raise click.UsageError(wanted)

        def change(calls: Any, found: Any) -> Any:
            return retry_on_conflict(
                kind.calls(session),
                found,
                lambda fresh: calls.update(
                    fresh.id,
                    name=new_name,
                    labels=relabelled(fresh.labels, labels, removed),
                    if_match=fresh.etag,
                    **members,
                ),
            )

        carry_out_each(session, kind, "update", [name], mode, change)

    command.params[1:1] = options
    command.help = f"Change a {kind.noun}." if options else f"Change the name or labels of a {kind.noun}."


def _add_delete(noun: Noun, kind: Kind) -> None:
    """Add the verb ``delete`` to ``noun``."""

    @noun.command("delete")
    @argument(kind, "names", many=True)
    @click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
    @change_options
    @click.pass_obj
    def command(session: Session, names: tuple[str, ...], yes: bool, mode: ChangeMode) -> None:  # noqa: FBT001  # click's call
        if not mode.dry_run:
            confirm(session, f"Delete {kind.noun} {', '.join(names)}?", yes=yes)
        carry_out_each(session, kind, "delete", names, mode, lambda calls, found: calls.delete(found.id))

    command.help = f"Delete {kind.plural}. Asks for confirmation on a terminal."


def _add_wait(noun: Noun, kind: Kind) -> None:
    """Add the verb ``wait`` to ``noun``."""

    @noun.command("wait")
    @argument(kind)
    @click.option("--status", metavar="STATUS", help="Status to wait for; by default until no job is running.")
    @timeout_option(600.0)
    @click.pass_obj
    def command(session: Session, name: str, status: str | None, timeout: float) -> None:
        session.does(f"wait for {kind.noun} {name}", kind.noun)
        calls = kind.calls(session)
        found = calls.find(name)
        jobs = session.client.jobs(session.project_id)
        session.interrupted = f"Stopped waiting; the jobs of {kind.noun} {name} continue."
        wanted = status and status.upper()
        while found.status != wanted and (job := _under_way(jobs, found.id)) is not None:
            with watching(f"{kind.noun} {found.name}") as watcher:
                jobs.wait(job.id, timeout=timeout, progress=watcher)
            found = calls.get(found.id)
        if wanted and found.status != wanted:
            raise NothingToWaitForError(f"it is {found.status}, and no running job will make it {wanted}")
        show_done(session, found, f"{kind.noun} {found.name}: {kind.summary(found)}")

    command.help = f"Wait for the running jobs of a {kind.noun}."


def _under_way(jobs: "Jobs", resource_id: str) -> "Job | None":
    return next((each for each in jobs.list(resource_id=resource_id, page_size=20) if not each.ended), None)
