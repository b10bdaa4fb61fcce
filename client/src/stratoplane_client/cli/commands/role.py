# SPDX-License-Identifier: Apache-2.0
"""``stratoplane role``."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from stratoplane_client.cli.groups import Noun
from stratoplane_client.cli.output import Column, show_many, show_one
from stratoplane_client.cli.parameters import completing
from stratoplane_client.cli.session import Session

if TYPE_CHECKING:
    from stratoplane_client.models.identity import Role

_COLUMNS = (
    Column("NAME", lambda each: each.name),
    Column("SCOPE", lambda each: each.scope),
    Column("DESCRIPTION", lambda each: each.description),
)
names = completing(lambda session, _: (each.name for each in session.client.roles.list()))


@click.group("role", cls=Noun)
def command() -> None:
    """Sets of permissions; 'stratoplane role-binding create' grants one to a user."""


@command.command("list")
@click.pass_obj
def list_roles(session: Session) -> None:
    """List roles."""
    session.does("list roles")
    show_many(session, session.client.roles.list(), _COLUMNS, nothing="There are no roles.")


@command.command("show")
@click.argument("name", shell_complete=names)
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show a role with its permissions."""
    from stratoplane_client.reading import find

    session.does(f"show role {name}", "role")
    show_one(session, find(session.client.roles.list, None, "role", name), _details)


def _details(each: "Role") -> Iterable[tuple[str, str]]:
    yield "Name", each.name
    yield "Scope", each.scope
    yield "Description", each.description
    yield "Permissions", "\n".join(each.permissions) or "-"
