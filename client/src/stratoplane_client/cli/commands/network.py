# SPDX-License-Identifier: Apache-2.0
"""``stratoplane network``."""

from typing import Any

import click

from stratoplane_client.cli.changing import ChangeMode, carry_out, change_options
from stratoplane_client.cli.kinds import NETWORKS
from stratoplane_client.cli.parameters import label_option
from stratoplane_client.cli.session import Session
from stratoplane_client.cli.verbs import KindCommand

command = KindCommand(NETWORKS, summary="Private networks.")


@command.command("create")
@click.argument("name")
@click.option("--cidr", required=True, metavar="RANGE", help="Private IPv4 range, such as 10.20.0.0/24.")
@click.option("--isolated", is_flag=True, help="Without access to outside networks.")
@click.option("--cluster", metavar="NAME", help="Cluster to create it on; chosen automatically by default.")
@label_option
@change_options
@click.pass_obj
def create(session: Session, /, name: str, mode: ChangeMode, **options: Any) -> None:
    """Create a network; machines in it get addresses by DHCP."""
    carry_out(
        session,
        NETWORKS,
        "create",
        name,
        mode,
        lambda calls: calls.create(
            name=name,
            cidr=options["cidr"],
            mode="ISOLATED" if options["isolated"] else None,
            labels=dict(options["labels"]),
            cluster=options["cluster"],
        ),
    )
