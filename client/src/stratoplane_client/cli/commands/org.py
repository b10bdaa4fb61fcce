# SPDX-License-Identifier: Apache-2.0
"""``stratoplane org``."""

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.changing import Deletion, delete_each, retry_on_conflict
from stratoplane_client.cli.groups import Noun
from stratoplane_client.cli.output import Column, show_done, show_many, show_one
from stratoplane_client.cli.parameters import completing, label_option, limit_option, relabel_options, relabelled
from stratoplane_client.cli.session import Session

if TYPE_CHECKING:
    from stratoplane_client.models.identity import Organization

COLUMNS = (
    Column("NAME", lambda each: each.name),
    Column("DISPLAY NAME", lambda each: each.display_name or "-"),
    Column("LABELS", lambda each: tables.labels(each.labels)),
    Column("AGE", lambda each: tables.age(each.created_at)),
)
_names = completing(lambda session, _: (each.name for each in session.client.operator.organizations.list()))


@click.group("org", cls=Noun)
def command() -> None:
    """Your organization; for operators, all of them."""


@command.command("list")
@limit_option()
@click.pass_obj
def list_organizations(session: Session, most: int | None) -> None:
    """List organizations (operators)."""
    session.does("list organizations")
    found = islice(session.client.operator.organizations.list(), most)
    show_many(session, found, COLUMNS, nothing="There are no organizations yet.")


@command.command("show")
@click.argument("name", required=False, shell_complete=_names)
@click.pass_obj
def show(session: Session, name: str | None) -> None:
    """Show your organization, or one by its name (operators)."""
    session.does(f"show organization {name}" if name else "show your organization", "org")
    client = session.client
    show_one(session, client.operator.organizations.find(name) if name else client.organization(), details)


@command.command("create")
@click.argument("name")
@click.option("--display-name", metavar="TEXT", help="Text for people.")
@label_option
@click.pass_obj
def create(session: Session, name: str, display_name: str | None, labels: Any) -> None:
    """Create an organization (operators)."""
    session.does(f"create organization {name}")
    organizations = session.client.operator.organizations
    made = organizations.create(name=name, display_name=display_name, labels=dict(labels))
    show_done(session, made, f"organization {name} created")


@command.command("update")
@click.argument("name", shell_complete=_names)
@click.option("--name", "new_name", metavar="NAME", help="New name.")
@click.option("--display-name", metavar="TEXT", help="Text for people.")
@relabel_options
@click.pass_obj
def update(session: Session, /, name: str, **options: Any) -> None:
    """Change an organization (operators)."""
    session.does(f"update organization {name}", "org")
    organizations = session.client.operator.organizations
    changed = retry_on_conflict(
        organizations,
        organizations.find(name),
        lambda fresh: organizations.update(
            fresh.id,
            name=options["new_name"],
            display_name=options["display_name"],
            labels=relabelled(fresh.labels, options["labels"], options["removed"]),
            if_match=fresh.etag,
        ),
    )
    show_done(session, changed, f"organization {changed.name} changed")


@command.command("delete")
@click.argument("wanted", metavar="NAME...", nargs=-1, required=True, shell_complete=_names)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def delete(session: Session, wanted: tuple[str, ...], yes: bool) -> None:  # noqa: FBT001
    """Delete empty organizations (operators)."""
    session.does("delete orgs")
    calls = session.client.operator.organizations
    delete_each(session, wanted, Deletion(noun="org", find=calls.find, delete=calls.delete), yes=yes)


def details(each: "Organization") -> Iterable[tuple[str, str]]:
    """Yield the details of an organization or a project."""
    yield "Name", each.name
    yield "Id", each.id
    yield "Display name", each.display_name or "-"
    yield "Labels", tables.labels(each.labels)
    yield "Created", tables.timestamp(each.created_at)
    yield "Changed", tables.timestamp(each.updated_at)
    yield "Version", str(each.version)
