# SPDX-License-Identifier: Apache-2.0
"""``stratoplane me``."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from stratoplane_client.cli.groups import Verb
from stratoplane_client.cli.output import document, show_one
from stratoplane_client.cli.session import Session

if TYPE_CHECKING:
    from stratoplane_client.models.identity import Grant, Me


@click.command("me", cls=Verb)
@click.pass_obj
def command(session: Session) -> None:
    """Show your user and your permissions."""
    session.does("show your user")
    found = session.client.me()
    if session.output == "name":
        click.echo(found.user.username)
    elif session.machine_readable:
        document(session, found.raw)
    else:
        show_one(session, found, _details)


def _details(each: "Me") -> Iterable[tuple[str, str]]:
    yield "User", each.user.username
    yield "Id", each.user.id
    if each.user.display_name:
        yield "Name", each.user.display_name
    yield "Organization", f"{each.organization.name} ({each.organization.id})"
    yield "Permissions", "\n".join(map(_grant, each.grants)) or "none; ask an administrator for a role"


def _grant(each: "Grant") -> str:
    where = {"PLATFORM": "everywhere", "ORGANIZATION": f"in organization {each.organization_id}"}
    return f"{where.get(each.scope, f'in project {each.project_id}')}: {', '.join(each.permissions)}"
