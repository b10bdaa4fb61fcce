# SPDX-License-Identifier: Apache-2.0
"""``stratoplane plugin``."""

import click

from stratoplane_client.cli.groups import Noun
from stratoplane_client.cli.output import Column, show_many
from stratoplane_client.cli.session import Session

_COLUMNS = (
    Column("NAME", lambda each: each.name),
    Column("STATE", lambda each: each.state),
    Column("VERSION", lambda each: each.version or "-"),
    Column("DISTRIBUTION", lambda each: each.distribution or "-"),
    Column("REASON", lambda each: each.reason or "-"),
)


@click.group("plugin", cls=Noun)
def command() -> None:
    """Plugins of the control plane."""


@command.command("list")
@click.pass_obj
def list_plugins(session: Session) -> None:
    """List plugins and their state (operators)."""
    session.does("list plugins")
    show_many(session, session.client.operator.plugins.list(), _COLUMNS, nothing="No plugin is installed.")
