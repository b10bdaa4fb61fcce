# SPDX-License-Identifier: Apache-2.0
"""``stratoplane volume``."""

from typing import Any

import click

from stratoplane_client.cli.changing import ChangeMode, carry_out, carry_out_each, change_options
from stratoplane_client.cli.kinds import VOLUMES
from stratoplane_client.cli.parameters import SIZE_GIB, label_option
from stratoplane_client.cli.session import Session
from stratoplane_client.cli.verbs import KindCommand, argument

command = KindCommand(VOLUMES, summary="Disks for virtual machines.")


@command.command("create")
@click.argument("name")
@click.option("--size", type=SIZE_GIB, required=True, metavar="SIZE", help="Size in GiB, or with a unit such as 2TiB.")
@click.option("--image", metavar="IMAGE", help="Image to fill it with.")
@click.option("--cluster", metavar="NAME", help="Cluster to create it on; chosen automatically by default.")
@label_option
@change_options
@click.pass_obj
def create(session: Session, /, name: str, mode: ChangeMode, **options: Any) -> None:
    """Create a volume; attach it with 'stratoplane vm attach'."""
    carry_out(
        session,
        VOLUMES,
        "create",
        name,
        mode,
        lambda calls: calls.create(
            name=name,
            size_gib=options["size"],
            image=options["image"],
            labels=dict(options["labels"]),
            cluster=options["cluster"],
        ),
    )


@command.command("resize")
@argument(VOLUMES)
@click.argument("size", type=SIZE_GIB)
@change_options
@click.pass_obj
def resize(session: Session, name: str, size: int, mode: ChangeMode) -> None:
    """Grow a volume to SIZE GiB."""
    carry_out_each(session, VOLUMES, "resize", [name], mode, lambda calls, found: calls.update(found.id, size_gib=size))
