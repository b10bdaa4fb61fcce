# SPDX-License-Identifier: Apache-2.0
"""``stratoplane provider``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.groups import Noun
from stratoplane_client.cli.output import Column, show_many
from stratoplane_client.cli.session import Session

if TYPE_CHECKING:
    from stratoplane_client.models.platform import DriverListing


_COLUMNS = (
    Column("CLUSTER", lambda each: each.cluster),
    Column("INTERFACE", lambda each: each.interface),
    Column("DRIVER", lambda each: each.driver),
    Column("VERSION", lambda each: each.version),
    Column("STATUS", lambda each: each.status),
    Column("PRODUCTION READY", lambda each: "yes" if each.production_ready else "no"),
    Column("REPORTED", lambda each: tables.age(each.reported_at)),
    Column("OLDEST LISTING", lambda each: _oldest(each.listings)),
    Column("REASON", lambda each: each.reason or _errors(each.listings) or "-"),
)


def _oldest(listings: Sequence["DriverListing"]) -> str:
    dated = [(each.answered_at, each.name) for each in listings if each.answered_at]
    return f"{tables.age(min(dated)[0])} {min(dated)[1]}" if dated else "-"


def _errors(listings: Sequence["DriverListing"]) -> str:
    return "; ".join(f"{each.name}: {each.error}" for each in listings if each.error)


@click.group("provider", cls=Noun)
def command() -> None:
    """Drivers of clusters, and their state."""


@command.command("list")
@click.option("--cluster", metavar="NAME", help="Only those of this cluster.")
@click.pass_obj
def list_providers(session: Session, cluster: str | None) -> None:
    """List drivers as their agents reported them (operators)."""
    session.does("list providers")
    found = session.client.operator.providers.list()
    mine = (each for each in found if cluster in {None, each.cluster, each.cluster_id})
    show_many(session, mine, _COLUMNS, nothing="No agent has reported a driver.")
