# SPDX-License-Identifier: Apache-2.0
"""``stratoplane role-binding``."""

from itertools import islice
from operator import attrgetter
from typing import NamedTuple

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.changing import Deletion, delete_each
from stratoplane_client.cli.commands.role import names as role_names
from stratoplane_client.cli.groups import ProjectNoun
from stratoplane_client.cli.output import Column, show_done, show_many
from stratoplane_client.cli.parameters import completing, id_argument, limit_option
from stratoplane_client.cli.session import Session

_COLUMNS = (
    Column("USER", lambda each: each.username),
    Column("ROLE", lambda each: each.role),
    Column("SCOPE", lambda each: each.scope),
    Column("PROJECT", lambda each: each.project_id or "-"),
    Column("AGE", lambda each: tables.age(each.created_at)),
    Column("ID", lambda each: each.id),
)
_users = completing(lambda session, _: (each.username for each in session.client.users.list()))
_everywhere = click.option("--all-orgs", is_flag=True, help="For operators: role bindings of every organization.")


@click.group("role-binding", cls=ProjectNoun)
def command() -> None:
    """Roles granted to users, and their scope."""


@command.command("list")
@_everywhere
@limit_option()
@click.pass_obj
def list_bindings(session: Session, all_orgs: bool, most: int | None) -> None:  # noqa: FBT001
    """List the roles granted to users; with --project, in that project."""
    session.does("list role bindings")
    bindings = session.client.operator.role_bindings if all_orgs else session.client.role_bindings
    found = bindings.list()
    if session.named_project is not None:
        project_id = session.project_id
        found = (each for each in found if each.project_id == project_id)
    show_many(session, islice(found, most), _COLUMNS, nothing="There are no role bindings.")


@command.command("create")
@click.argument("username", shell_complete=_users)
@click.argument("role", shell_complete=role_names)
@_everywhere
@click.pass_obj
def create(session: Session, username: str, role: str, all_orgs: bool) -> None:  # noqa: FBT001
    """Grant a role to a user; with --project, in that project."""
    session.does(f"grant role {role} to {username}", "user")
    client = session.client
    user = (client.operator.users if all_orgs else client.users).find(username)
    bindings = client.operator.role_bindings if all_orgs else client.role_bindings
    project_id = session.project_id if session.named_project else None
    session.noun = "role"
    made = bindings.create(user_id=user.id, role=role, project_id=project_id)
    show_done(session, made, f"role {role} granted to {user.username} (binding {made.id})")


@command.command("delete")
@id_argument("binding_ids", "role-binding", many=True)
@_everywhere
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def delete(session: Session, binding_ids: tuple[str, ...], all_orgs: bool, yes: bool) -> None:  # noqa: FBT001
    """Revoke roles."""
    session.does("delete role bindings")
    bindings = session.client.operator.role_bindings if all_orgs else session.client.role_bindings
    deletion = Deletion(noun="role-binding", find=_Named, delete=bindings.delete, label=attrgetter("id"))
    delete_each(session, binding_ids, deletion, yes=yes)


class _Named(NamedTuple):
    """A binding of which nothing but the id is known."""

    id: str
