# SPDX-License-Identifier: Apache-2.0
"""``stratoplane apply``."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.failures import Exit, ended, exit_code, report, say
from stratoplane_client.cli.groups import ProjectVerb
from stratoplane_client.cli.output import document
from stratoplane_client.cli.parameters import Pair, key_option, timeout_option
from stratoplane_client.cli.session import Session
from stratoplane_client.errors import ClientError

if TYPE_CHECKING:
    from stratoplane_client.cli.apply_plan import Step

_SIGNS = {"create": "+", "change": "~", "retry": "~", "unchanged": "=", "delete": "-", "refused": "!"}


@click.command("apply", cls=ProjectVerb)
@click.option(
    "-f", "--file", "files", multiple=True, required=True, metavar="FILE", help="YAML or JSON; - or a folder; repeat."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--dry-run", is_flag=True, help="Only show the plan; exit code 1 if there is something to do.")
@click.option("--prune", is_flag=True, help="Delete what carries --label and is in no file.")
@click.option("--label", type=Pair(), help="With --prune: the label, key=value.")
@timeout_option(600.0)
@key_option
@click.pass_obj
def command(session: Session, /, files: tuple[str, ...], dry_run: bool, **options: Any) -> None:  # noqa: FBT001  # click's call
    """Make the project what files declare.

    Creates and changes resources in the order of their references and waits for them.
    """
    from stratoplane_client.cli.apply_plan import Action, Project, plan
    from stratoplane_client.cli.apply_run import Run, RunMode
    from stratoplane_client.cli.declarations import read_declarations

    selector = _selector(options["label"], prune=options["prune"])
    declarations = read_declarations(files)
    session.does(f"apply {', '.join(files)}")
    project = Project(session)
    try:
        steps = plan(project, declarations, selector)
    except ClientError as error:
        if not dry_run or exit_code(error) is not Exit.FAILED:
            raise
        # Exit code 1 says that there are differences, and nothing else.
        report(session, error)
        raise click.exceptions.Exit(Exit.UNREACHABLE) from error
    names = project.names()
    if session.output == "table":
        click.echo("\n".join(tables.plain(line) for line in _lines(steps, names)))
    refused = [each for each in steps if each.action is Action.REFUSED]
    for each in refused:
        say(f"Error: {each.place}: {each.what}: {ended(each.reason)}")
    todo = [each for each in steps if each.action not in {Action.UNCHANGED, Action.REFUSED}]
    if refused or dry_run or not todo:
        _show(session, steps, {})
        code = Exit.USAGE if refused else Exit.FAILED if dry_run and todo else Exit.OK
        raise click.exceptions.Exit(code)
    _confirm(session, todo, yes=options["yes"])
    run = Run(project, RunMode(timeout=options["timeout"], idempotency_key=options["idempotency_key"]))
    session.interrupted = "Stopped waiting; jobs that were begun continue. Apply again to see what is left."
    run.carry_out(steps)
    _show(session, steps, run.outcomes)
    if run.failed:
        raise click.exceptions.Exit(run.failed[0])


def _selector(label: tuple[str, str] | None, *, prune: bool) -> str | None:
    if prune != (label is not None):
        raise click.UsageError("--prune and --label KEY=VALUE are given together: only what carries it is deleted")
    if label is not None and not label[1]:
        raise click.UsageError("--label needs a value: KEY=VALUE")
    return None if label is None else "=".join(label)


def _lines(steps: Sequence["Step"], names: Mapping[str, str]) -> Iterator[str]:
    from stratoplane_client.cli.apply_plan import change_text

    for each in steps:
        yield f"{_SIGNS[each.action]} {each.action} {each.what}"
        shown = each.wanted.items() if each.action == "create" else ()
        yield from (f"    {name}: {tables.value(value)}" for name, value in shown)
        yield from (f"    {change_text(change, names)}" for change in each.changes)
        yield from (f"    {name} is not shown by the server and was not compared" for name in each.unseen)
    counted = Counter(str(each.action) for each in steps)
    words = {"create": "to create", "change": "to change", "retry": "to retry", "delete": "to delete"}
    yield "Plan: " + ", ".join(f"{counted[each]} {words.get(each, each)}" for each in _SIGNS if counted[each]) + "."


def _show(session: Session, steps: Sequence["Step"], outcomes: Mapping[Any, str]) -> None:
    if session.machine_readable:
        document(session, [_shown(each, outcomes.get(each.key)) for each in steps])


def _shown(step: "Step", outcome: str | None) -> dict[str, Any]:
    changes = [{"field": each.field, "old": each.observed, "new": each.desired} for each in step.changes]
    told = {"kind": step.noun, "name": step.name, "action": str(step.action), "place": step.place, "changes": changes}
    return {**told, "not_compared": list(step.unseen), "reason": step.reason, "outcome": outcome}


def _confirm(session: Session, todo: Sequence["Step"], *, yes: bool) -> None:
    """Ask before anything is done; what is deleted is confirmed by typing its names.

    Raises:
        click.Abort: the answer was no.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("there is no terminal to ask for confirmation; read the plan and add --yes")
    session.interrupted = "Nothing was changed."
    gone = " ".join(each.name for each in todo if each.action == "delete")
    if not gone:
        click.confirm("Carry out this plan?", abort=True, err=True)
    elif click.prompt(f"Type the names of what will be deleted ({gone})", err=True).split() != gone.split():
        raise click.Abort
