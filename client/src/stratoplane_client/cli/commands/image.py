# SPDX-License-Identifier: Apache-2.0
"""``stratoplane image``."""

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.changing import Deletion, delete_each
from stratoplane_client.cli.groups import Noun
from stratoplane_client.cli.output import Column, show_done, show_many, show_one
from stratoplane_client.cli.parameters import SIZE_GIB, completing, limit_option
from stratoplane_client.cli.session import Session

if TYPE_CHECKING:
    from stratoplane_client.models.platform import Image

_COLUMNS = (
    Column("NAME", lambda each: each.name),
    Column("FORMAT", lambda each: each.format),
    Column("MINIMUM DISK", lambda each: f"{each.minimum_disk_gib} GiB"),
    Column("CLUSTERS", lambda each: tables.joined(each.clusters)),
    Column("AGE", lambda each: tables.age(each.created_at)),
    Column("DESCRIPTION", lambda each: each.description or "-"),
)
_names = completing(lambda session, _: (each.name for each in session.client.images.list()))


@click.group("image", cls=Noun)
def command() -> None:
    """Disk images to create machines and volumes from. Operators create, change and delete them."""


@command.command("list")
@limit_option()
@click.pass_obj
def list_images(session: Session, most: int | None) -> None:
    """List images."""
    session.does("list images")
    show_many(session, islice(session.client.images.list(), most), _COLUMNS, nothing="There are no images yet.")


@command.command("show")
@click.argument("name", shell_complete=_names)
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show the details of an image."""
    from stratoplane_client.reading import find

    session.does(f"show image {name}", "image")
    show_one(session, find(session.client.images.list, None, "image", name), _details)


@command.command("create")
@click.argument("name")
@click.option(
    "--source", required=True, metavar="FILE", help="File name in the drivers' image folder, or the provider's id."
)
@click.option("--format", "form", type=click.Choice(["qcow2", "raw"]), help="Format of the file; qcow2 by default.")
@click.option("--sha256", metavar="DIGEST", help="Digest of the file.")
@click.option("--minimum-disk", type=SIZE_GIB, metavar="SIZE", help="Minimum disk size in GiB.")
@click.option("--description", help="Text for people.")
@click.pass_obj
def create(session: Session, /, name: str, **options: Any) -> None:
    """Create an image (operators)."""
    session.does(f"create image {name}")
    made = session.client.operator.images.create(
        name=name,
        source=options["source"],
        format=options["form"],
        sha256=options["sha256"],
        description=options["description"],
        minimum_disk_gib=options["minimum_disk"],
    )
    show_done(session, made, f"image {name} created")


@command.command("update")
@click.argument("name", shell_complete=_names)
@click.option("--name", "new_name", metavar="NAME", help="New name.")
@click.option("--minimum-disk", type=SIZE_GIB, metavar="SIZE", help="Minimum disk size in GiB.")
@click.option("--description", help="Text for people.")
@click.pass_obj
def update(session: Session, /, name: str, **options: Any) -> None:
    """Change an image (operators)."""
    session.does(f"update image {name}", "image")
    images = session.client.operator.images
    changed = images.update(
        images.find(name).id,
        name=options["new_name"],
        description=options["description"],
        minimum_disk_gib=options["minimum_disk"],
    )
    show_done(session, changed, f"image {changed.name} changed")


@command.command("delete")
@click.argument("wanted", metavar="NAME...", nargs=-1, required=True, shell_complete=_names)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def delete(session: Session, wanted: tuple[str, ...], yes: bool) -> None:  # noqa: FBT001
    """Delete images (operators)."""
    session.does("delete images")
    calls = session.client.operator.images
    delete_each(session, wanted, Deletion(noun="image", find=calls.find, delete=calls.delete), yes=yes)


def _details(each: "Image") -> Iterable[tuple[str, str]]:
    yield "Name", each.name
    yield "Id", each.id
    yield "Format", each.format
    yield "Minimum disk", f"{each.minimum_disk_gib} GiB"
    yield "Clusters", "\n".join(each.clusters) or "none at present"
    yield "Description", each.description or "-"
    yield "Created", tables.timestamp(each.created_at)
