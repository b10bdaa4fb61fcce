# SPDX-License-Identifier: Apache-2.0
"""``stratoplane user``."""

import sys
from collections.abc import Iterable
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.changing import Deletion, delete_each
from stratoplane_client.cli.groups import Noun
from stratoplane_client.cli.output import Column, show_done, show_many, show_one
from stratoplane_client.cli.parameters import completing, limit_option
from stratoplane_client.cli.session import Session

if TYPE_CHECKING:
    from stratoplane_client.models.identity import User

_COLUMNS = (
    Column("USERNAME", lambda each: each.username),
    Column("NAME", lambda each: each.display_name or "-"),
    Column("ENABLED", lambda each: "yes" if each.enabled else "no"),
    Column("AGE", lambda each: tables.age(each.created_at)),
    Column("ORGANIZATION", lambda each: each.organization_id),
)
_names = completing(lambda session, _: (each.username for each in session.client.users.list()))
_everywhere = click.option("--all-orgs", is_flag=True, help="For operators: users of every organization.")


@click.group("user", cls=Noun)
def command() -> None:
    """Users of an organization: people and programs."""


@command.command("list")
@_everywhere
@limit_option()
@click.pass_obj
def list_users(session: Session, all_orgs: bool, most: int | None) -> None:  # noqa: FBT001
    """List users of your organization."""
    session.does("list users")
    users = session.client.operator.users if all_orgs else session.client.users
    show_many(session, islice(users.list(), most), _COLUMNS, nothing="There are no users.")


@command.command("show")
@click.argument("username", shell_complete=_names)
@_everywhere
@click.pass_obj
def show(session: Session, username: str, all_orgs: bool) -> None:  # noqa: FBT001
    """Show the details of a user."""
    session.does(f"show user {username}", "user")
    users = session.client.operator.users if all_orgs else session.client.users
    show_one(session, users.find(username), _details)


@command.command("create")
@click.argument("username")
@click.option("--display-name", metavar="TEXT", help="The person's name.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--org", metavar="NAME|ID", help="For operators: the organization that the user belongs to.")
@click.pass_obj
def create(session: Session, username: str, display_name: str | None, password_stdin: bool, org: str | None) -> None:  # noqa: FBT001
    """Create a user; 'stratoplane role-binding create' grants it a role."""
    session.does(f"create user {username}")
    password = _password(from_input=password_stdin)
    if org is None:
        made = session.client.users.create(username=username, password=password, display_name=display_name)
    else:
        session.noun = "org"
        operator = session.client.operator
        made = operator.users.create(
            organization_id=operator.organizations.find(org).id,
            username=username,
            password=password,
            display_name=display_name,
        )
    show_done(session, made, f"user {username} created")


@command.command("delete")
@click.argument("usernames", metavar="USERNAME...", nargs=-1, required=True, shell_complete=_names)
@_everywhere
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def delete(session: Session, usernames: tuple[str, ...], all_orgs: bool, yes: bool) -> None:  # noqa: FBT001
    """Delete users and revoke all of their tokens."""
    session.does("delete users")
    users: Any = session.client.operator.users if all_orgs else session.client.users
    label = attrgetter("username")
    delete_each(session, usernames, Deletion(noun="user", find=users.find, delete=users.delete, label=label), yes=yes)


def _password(*, from_input: bool) -> str:
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("cannot ask for the password without a terminal; use --password-stdin")
    return str(click.prompt("Password of the new user", hide_input=True, confirmation_prompt=True, err=True))


def _details(each: "User") -> Iterable[tuple[str, str]]:
    yield "Username", each.username
    yield "Id", each.id
    yield "Name", each.display_name or "-"
    yield "Enabled", "yes" if each.enabled else "no"
    yield "Organization", each.organization_id
    yield "Created", tables.timestamp(each.created_at)
    yield "Changed", tables.timestamp(each.updated_at)
