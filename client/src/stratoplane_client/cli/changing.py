# SPDX-License-Identifier: Apache-2.0
"""Changes from the command line: dry run or not, waited for or not, one resource or several."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.failures import Exit, report
from stratoplane_client.cli.kinds import Kind
from stratoplane_client.cli.output import document, name_of, show_message
from stratoplane_client.cli.parameters import key_option, timeout_option
from stratoplane_client.cli.progress import watching
from stratoplane_client.cli.session import Session
from stratoplane_client.errors import ClientError, NameUnknownError, NotFoundError, VersionConflictError

if TYPE_CHECKING:
    from stratoplane_client.changes import Change, Plan
    from stratoplane_client.models.jobs import Job

_ATTEMPTS = 4
_PAST = {
    "create": "created",
    "update": "changed",
    "delete": "deleted",
    "start": "started",
    "stop": "stopped",
    "reboot": "rebooted",
    "resize": "resized",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeMode:
    """How a change is made.

    Attributes:
        dry_run: only check and plan.
        wait: until it is complete, for ``timeout`` seconds at most.
        idempotency_key: the caller's name for it, None for a new one.
        if_not_exists: a create is content with what exists, if it is the same.
    """

    dry_run: bool = False
    wait: bool = False
    timeout: float = 600.0
    idempotency_key: str | None = None
    if_not_exists: bool = False

    def calls(self, calls: Any, name: str = "") -> Any:
        """Return the calls that make changes so; those of one among several, ``name``, get a key of their own."""
        chosen = calls.plan if self.dry_run else calls
        if self.idempotency_key is not None:
            chosen = chosen.keyed(f"{self.idempotency_key}:{name}" if name else self.idempotency_key)
        return chosen.or_existing() if self.if_not_exists else chosen


@dataclass(frozen=True, slots=True)
class _Started:
    name: str
    outcome: Any
    since: float
    before: int = -1
    """The resource's version when it was read, to tell a change that was done at once from one that was none."""


def change_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--wait``, ``--timeout``, ``--dry-run`` and ``--idempotency-key``; the command gets them as ``mode``.

    A :class:`.verbs.KindCommand` adds ``--if-not-exists`` to its ``create``.
    """

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        said = {each.name: options.pop(each.name) for each in fields(ChangeMode) if each.name in options}
        return function(*args, mode=ChangeMode(**said), **options)

    decorated: Callable[..., Any] = call
    for decorate in (
        key_option,
        click.option("--dry-run", is_flag=True, help="Check the change and show what it would do; change nothing."),
        timeout_option(600.0),
        click.option(
            "--wait/--no-wait", default=False, help="Wait until the change is complete, and show its progress."
        ),
    ):
        decorated = decorate(decorated)
    return decorated


def carry_out(session: Session, kind: Kind, verb: str, name: str, mode: ChangeMode, act: Callable[[Any], Any]) -> None:
    """Make one change and show what it came to.

    Args:
        session: of this command.
        kind: of the resource.
        verb: of the command.
        name: of the resource, for people.
        mode: to make it.
        act: makes the change by the calls that it is given, which only plan if it is a dry run.
    """
    session.does(f"{verb} {kind.noun} {name}")
    calls = kind.calls(session)
    since = time.monotonic()
    outcome = act(mode.calls(calls))
    _settle(session, kind, verb, [_Started(name, outcome, since)], mode)


def carry_out_each(
    session: Session, kind: Kind, verb: str, names: Sequence[str], mode: ChangeMode, act: Callable[[Any, Any], Any]
) -> None:
    """Make the same change of each named resource: begin all, then wait for all.

    A failure does not stop the others; the exit code is that of the first failure.

    Args:
        session: of this command.
        kind: of the resources.
        verb: of the command.
        names: or ids.
        mode: to make it.
        act: makes the change by the calls that it is given, of the resource that it is given.
    """
    calls = kind.calls(session)
    failed: list[Exit] = []
    begun: list[_Started] = []
    several = len(set(names)) > 1
    for name in dict.fromkeys(names):
        session.does(f"{verb} {kind.noun} {name}", kind.noun)
        since = time.monotonic()
        try:
            found = _target(session, kind, name, mode)
            # From here on it is something else that may be missing: a flavor, a volume.
            session.noun = ""
            outcome = act(mode.calls(calls, name if several else ""), found)
            begun.append(_Started(found.name, outcome, since, found.version))
        except ClientError as error:
            failed.append(report(session, error))
    failed += _settle(session, kind, verb, begun, mode, alone=not several)
    if failed:
        raise click.exceptions.Exit(failed[0])


def _target(session: Session, kind: Kind, wanted: str, mode: ChangeMode) -> Any:
    """Return the resource to change.

    What a change with this key has deleted or renamed is found once more, under the name it had, for the same answer.
    """
    calls = kind.calls(session)
    try:
        return calls.find(wanted)
    except (NameUnknownError, NotFoundError) as missing:
        if mode.idempotency_key is None:
            raise
        from stratoplane_client.cli.naming import formerly

        found = formerly(session, kind, wanted)
        if found is None:
            raise missing from None
        return found


def warn_of_effect(
    session: Session, kind: Kind, verb: str, name: str, act: Callable[[Any, Any], Any], *, yes: bool
) -> None:
    """Say what a change does to a resource that runs, before it is made; ask for confirmation on a terminal.

    Args:
        session: of this command.
        kind: of the resource.
        verb: of the command.
        name: of the resource, or its id.
        act: makes the change, as for :func:`carry_out_each`.
        yes: do not ask.

    Raises:
        ClientError: the change would be refused.
        click.Abort: the answer was no.
    """
    session.does(f"{verb} {kind.noun} {name}", kind.noun)
    calls = kind.calls(session)
    found = calls.find(name)
    session.noun = ""
    effect = act(calls.plan, found).effect
    if not effect:
        return
    click.echo(tables.plain(f"{kind.noun} {found.name}: {effect}"), err=True)
    confirm(session, f"{verb.capitalize()} {kind.noun} {found.name}?", yes=yes)


def retry_on_conflict(calls: Any, found: Any, change: Callable[[Any], Any]) -> Any:
    """Return what ``change`` makes of ``found``; read it again and retry when it has changed in the meantime.

    Args:
        calls: of the kind.
        found: the resource as it was read.
        change: makes the change from the resource it is given, on the condition that it is still the same.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return change(found)
        except VersionConflictError:
            found = calls.get(found.id)
    return change(found)


@dataclass(frozen=True, kw_only=True, slots=True)
class Deletion:
    """How to delete objects of one noun at once, without a job.

    Attributes:
        noun: of the command.
        find: returns the object of a name or id.
        delete: deletes the one with an id.
        label: what is said of an object, its name by default.
        warning: what else is to be known before it is confirmed.
    """

    noun: str
    find: Callable[[str], Any]
    delete: Callable[[str], None]
    label: Callable[[Any], str] = name_of
    warning: str = ""


def delete_each(session: Session, names: Sequence[str], deletion: Deletion, *, yes: bool) -> None:
    """Delete each named object; a failure does not stop the others, and the exit code is that of the first."""
    noun, failed = deletion.noun, list[Exit]()
    what = noun.replace("-", " ")
    confirm(session, f"Delete {what} {', '.join(names)}?{deletion.warning}", yes=yes)
    for name in dict.fromkeys(names):
        session.does(f"delete {what} {name}", noun)
        try:
            found = deletion.find(name)
            deletion.delete(found.id)
        except ClientError as error:
            failed.append(report(session, error))
            continue
        show_message(session, f"{what} {deletion.label(found)} deleted")
    if failed:
        raise click.exceptions.Exit(failed[0])


def confirm(session: Session, question: str, *, yes: bool) -> None:
    """Ask for confirmation on a terminal.

    Raises:
        click.Abort: the answer was no.
    """
    if not yes and sys.stdin.isatty() and sys.stderr.isatty():
        session.interrupted = "Nothing was changed."
        click.confirm(question, abort=True, err=True)


def type_name(session: Session, warning: str) -> str:
    """Return the name that is typed on a terminal to confirm a deletion.

    Raises:
        click.UsageError: there is no terminal to type at.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("there is no terminal to type the name at; confirm with --yes")
    session.interrupted = "Nothing was changed."
    click.echo(warning, err=True)
    typed: str = click.prompt("Type its name to delete it", err=True)
    return typed


def _settle(
    session: Session, kind: Kind, verb: str, begun: Sequence[_Started], mode: ChangeMode, *, alone: bool = True
) -> list[Exit]:
    failed: list[Exit] = []
    documents = []
    for each in begun:
        session.does(f"{verb} {kind.noun} {each.name}")
        try:
            shown, line = _finish(session, kind, verb, each, mode)
        except ClientError as error:
            if alone and len(begun) == 1:
                raise
            failed.append(report(session, error))
            continue
        if session.machine_readable:
            documents.append(shown)
        else:
            click.echo(tables.plain(name_of(each.outcome.resource)) if session.output == "name" else line)
    if session.machine_readable and begun:
        document(session, documents[0] if alone and documents else documents)
    return failed


def _finish(session: Session, kind: Kind, verb: str, each: _Started, mode: ChangeMode) -> tuple[Any, str]:
    """Return the document and the line for what a change came to, waiting for its end if that is wanted."""
    what = f"{kind.noun} {each.name}"
    if each.outcome.uncompared:
        unseen = ", ".join(each.outcome.uncompared)
        click.echo(f"Warning: {what} exists; the server does not show its {unseen}, which may differ.", err=True)
    if mode.dry_run:
        line = _existing_line(kind, what, each.outcome.resource) if each.outcome.existed else ""
        return each.outcome.raw, line or _plan_line(verb, what, each.outcome)
    change: Change[Any] = each.outcome
    if change.job is None:
        return change.raw, _line_at_once(kind, verb, what, change, each.before)
    if not mode.wait and change.existed:
        return change.raw, _existing_line(kind, what, change.resource)
    if not mode.wait:
        return change.raw, f"{what}: {verb} accepted, job {change.job.id}"
    resource, job = _wait(session, what, change, change.job, mode.timeout)
    if change.existed:
        return {kind.member: resource.raw, "job": job.raw}, _existing_line(kind, what, resource)
    line = f"{what} {_past(verb)}" if verb == "delete" else f"{what} {_past(verb)}: {kind.summary(resource)}"
    return {kind.member: resource.raw, "job": job.raw}, f"{line} ({time.monotonic() - each.since:.1f} s)"


def _wait(session: Session, what: str, change: "Change[Any]", job: "Job", timeout: float) -> tuple[Any, "Job"]:
    session.interrupted = f"Stopped waiting; the job continues. Wait for it with 'stratoplane job wait {job.id}'."
    seen = [job]
    with watching(what) as watcher:

        def watch(found: "Job") -> None:
            seen.append(found)
            watcher(found)

        resource = change.wait(timeout=timeout, progress=watch)
    session.interrupted = "Aborted."
    return resource, seen[-1]


def _line_at_once(kind: Kind, verb: str, what: str, change: "Change[Any]", before: int) -> str:
    """Return the line for a change without a job: one that was done at once, or that found nothing to do."""
    if verb == "delete":
        return f"{what} deleted"
    if change.existed:
        return _existing_line(kind, what, change.resource)
    # The answer that is given again is that of a change, before which the resource had another version.
    done = "unchanged" if change.resource.version == before and not change.replayed else _past(verb)
    return f"{what} {done}: {kind.summary(change.resource)}"


def _existing_line(kind: Kind, what: str, resource: Any) -> str:
    return f"{what} exists with the same specification: {kind.summary(resource)}"


def _past(verb: str) -> str:
    """Return what a verb has done; a plugin may have verbs of its own."""
    return _PAST.get(verb, f"{verb} succeeded")


def _plan_line(verb: str, what: str, plan: "Plan[Any]") -> str:
    where = f" on cluster {plan.cluster}" if plan.cluster else ""
    quota = tables.joined(f"{amount:+d} {key}" for key, amount in plan.quota.items())
    steps = " > ".join(plan.steps) or "-"
    effect = f"; {plan.effect}" if plan.effect else ""
    return f"Would {verb} {what}{where}; quota: {quota}; steps: {steps}{effect}. Nothing was changed."
