# SPDX-License-Identifier: Apache-2.0
"""``stratoplane bucket``."""

from typing import Any

import click

from stratoplane_client.cli.changing import ChangeMode, carry_out, change_options
from stratoplane_client.cli.kinds import BUCKETS
from stratoplane_client.cli.parameters import label_option
from stratoplane_client.cli.session import Session
from stratoplane_client.cli.verbs import KindCommand

command = KindCommand(BUCKETS, summary="Buckets of object stores.")


@command.command("create")
@click.argument("name")
@click.option("--cluster", metavar="NAME", help="Cluster to create it on; chosen automatically by default.")
@label_option
@change_options
@click.pass_obj
def create(session: Session, /, name: str, mode: ChangeMode, cluster: str | None, labels: Any) -> None:
    """Create a bucket."""
    carry_out(
        session,
        BUCKETS,
        "create",
        name,
        mode,
        lambda calls: calls.create(name=name, labels=dict(labels), cluster=cluster),
    )
