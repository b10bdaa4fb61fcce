# SPDX-License-Identifier: Apache-2.0
"""``stratoplane context``."""

from collections.abc import Iterable

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.contexts import Context, config_file, save
from stratoplane_client.cli.groups import Noun
from stratoplane_client.cli.output import document, show_message
from stratoplane_client.cli.parameters import completing
from stratoplane_client.cli.session import Session
from stratoplane_client.errors import InvalidSettingError

_names = completing(lambda session, _: sorted(session.contexts.named))


@click.group("context", cls=Noun)
def command() -> None:
    """Saved servers and identities."""


@command.command("list")
@click.pass_obj
def list_contexts(session: Session) -> None:
    """List contexts; the current one is marked with a star."""
    session.does("list contexts")
    found = sorted(session.contexts.named.items())
    current = session.current_name
    if session.machine_readable:
        document(session, [_shown(name, each, current) for name, each in found])
    elif session.output == "name":
        click.echo("\n".join(name for name, _ in found), nl=bool(found))
    elif found:
        rows = [
            ("*" if name == current else "", name, each.url, each.username, each.organization, each.project or "-")
            for name, each in found
        ]
        titles = ("", "NAME", "SERVER", "USER", "ORGANIZATION", "PROJECT")
        click.echo(tables.table(titles, rows, color=session.color), color=session.color)
    else:
        click.echo("There are no contexts; 'stratoplane login URL' creates one.", err=True)


@command.command("show")
@click.argument("name", required=False, shell_complete=_names)
@click.pass_obj
def show(session: Session, name: str | None) -> None:
    """Show a context, the current one by default; its token is never shown."""
    session.does("show the context")
    wanted = name or session.current_name
    found = session.contexts.named_or_raise(wanted) if wanted else session.context
    if session.machine_readable:
        document(session, _shown(wanted, found, session.current_name))
    elif session.output == "name":
        click.echo(wanted)
    else:
        click.echo(tables.details(_details(wanted, found), color=session.color), color=session.color)


@command.command("use")
@click.argument("name", shell_complete=_names)
@click.pass_obj
def use(session: Session, name: str) -> None:
    """Make a context the current one."""
    session.does(f"use context {name}")
    found = session.contexts.named_or_raise(name)
    save(config_file(), session.contexts.with_context(name, found))
    show_message(session, f"Now working with {found.url} as {found.username or 'nobody'}.")


@command.command("delete")
@click.argument("wanted", metavar="NAME...", nargs=-1, required=True, shell_complete=_names)
@click.pass_obj
def delete(session: Session, wanted: tuple[str, ...]) -> None:
    """Delete contexts; log out first to revoke their tokens."""
    session.does("delete contexts")
    unknown = [name for name in wanted if name not in session.contexts.named]
    if unknown:
        raise InvalidSettingError(f"there is no context named {unknown[0]!r}")
    left = session.contexts
    for name in dict.fromkeys(wanted):
        left = left.without(name)
    save(config_file(), left)
    for name in dict.fromkeys(wanted):
        show_message(session, f"Context {name} deleted.")


def _shown(name: str, each: Context, current: str) -> dict[str, object]:
    members = ("url", "username", "organization", "project", "project_id", "ca_file")
    facts = {member: getattr(each, member) for member in members}
    return {"name": name, "current": name == current, **facts, "logged_in": bool(each.token)}


def _details(name: str, each: Context) -> Iterable[tuple[str, str]]:
    yield "Name", name or "- (from the environment)"
    yield "Server", each.url
    yield "User", each.username or "-"
    yield "Organization", each.organization or "-"
    yield "Project", each.project or "-"
    yield "Certificates", each.ca_file or "the system's"
    yield "Logged in", "yes" if each.token else "no"
    yield "Stored in", str(config_file())
