# SPDX-License-Identifier: Apache-2.0
"""``stratoplane token``."""

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.changing import Deletion, delete_each
from stratoplane_client.cli.groups import Noun
from stratoplane_client.cli.output import Column, document, show_many
from stratoplane_client.cli.parameters import DURATION, completing
from stratoplane_client.cli.session import Session

_COLUMNS = (
    Column("NAME", lambda each: each.name or "-"),
    Column("KIND", lambda each: each.kind),
    Column("AGE", lambda each: tables.age(each.created_at)),
    Column("EXPIRES", lambda each: tables.age(each.expires_at) if each.expires_at else "never"),
    Column("ID", lambda each: each.id),
)


@click.group("token", cls=Noun)
def command() -> None:
    """Your tokens, for programs."""


@command.command("list")
@click.pass_obj
def list_tokens(session: Session) -> None:
    """List your tokens; secrets are shown only at creation."""
    session.does("list tokens")
    show_many(session, session.client.tokens.list(), _COLUMNS, nothing="There are no tokens.")


@command.command("create")
@click.argument("name")
@click.option(
    "--expires-in", type=DURATION, metavar="DURATION", help="Lifetime, such as 12h or 30d; unlimited by default."
)
@click.pass_obj
def create(session: Session, name: str, expires_in: int | None) -> None:
    """Create a token for a program and print its secret, once.

    The secret alone is on standard output, so that it can go straight into a file or a variable.
    """
    session.does(f"create token {name}")
    made = session.client.tokens.create(name=name, expires_in=expires_in)
    if session.machine_readable:
        document(session, made.raw)
        return
    ends = f"expires {made.expires_at.astimezone():%Y-%m-%d %H:%M %Z}" if made.expires_at else "does not expire"
    click.echo(f"Token {name} ({made.id}) {ends}. It is not shown again:", err=True)
    click.echo(made.token)


@command.command("delete")
@click.argument(
    "wanted",
    metavar="NAME|ID...",
    nargs=-1,
    required=True,
    shell_complete=completing(lambda session, _: _names(session)),
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def delete(session: Session, wanted: tuple[str, ...], yes: bool) -> None:  # noqa: FBT001
    """Revoke tokens."""
    from stratoplane_client.reading import find

    session.does("delete tokens")
    tokens = session.client.tokens
    deletion = Deletion(
        noun="token",
        find=lambda name: find(tokens.list, None, "token", name),
        delete=tokens.delete,
        warning=" Programs that use it lose access.",
    )
    delete_each(session, wanted, deletion, yes=yes)


def _names(session: Session) -> list[str]:
    return [each.name for each in session.client.tokens.list() if each.name]
