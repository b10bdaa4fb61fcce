# SPDX-License-Identifier: Apache-2.0
"""``stratoplane leak``."""

from itertools import islice

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.groups import Noun
from stratoplane_client.cli.output import Column, show_done, show_many
from stratoplane_client.cli.parameters import id_argument, limit_option
from stratoplane_client.cli.session import Session

_COLUMNS = (
    Column("KIND", lambda each: each.kind),
    Column("NAME", lambda each: each.name),
    Column("CLUSTER", lambda each: each.cluster or "-"),
    Column("STEP", lambda each: each.step),
    Column("AGE", lambda each: tables.age(each.found_at)),
    Column("RESOLVED BY", lambda each: each.resolved_by or "-"),
    Column("RESOURCE", lambda each: each.resource_id),
    Column("ID", lambda each: each.id),
    Column("DETAIL", lambda each: each.detail or "-"),
)


@click.group("leak", cls=Noun)
def command() -> None:
    """Objects that failed jobs may have left at providers."""


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Include resolved leaks.")
@limit_option(50)
@click.pass_obj
def list_leaks(session: Session, everything: bool, most: int) -> None:  # noqa: FBT001  # click's call
    """List leaks, newest first (operators)."""
    session.does("list leaks")
    found = session.client.operator.leaks.list(open="false" if everything else None)
    show_many(session, islice(found, most), _COLUMNS, nothing="There are no leaks.")


@command.command("resolve")
@id_argument("leak_id", "leak")
@click.option("--note", required=True, metavar="TEXT", help="What was found or done, for the audit trail.")
@click.pass_obj
def resolve(session: Session, leak_id: str, note: str) -> None:
    """Resolve a leak after checking the provider (operators)."""
    session.does(f"resolve leak {leak_id}", "leak")
    leak = session.client.operator.leaks.resolve(leak_id, note=note)
    show_done(session, leak, f"leak {leak.id} resolved: {leak.step} of {leak.name}")
