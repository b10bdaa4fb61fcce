# SPDX-License-Identifier: Apache-2.0
"""``stratoplane flavor``."""

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.changing import Deletion, delete_each
from stratoplane_client.cli.groups import Noun
from stratoplane_client.cli.output import Column, show_done, show_many, show_one
from stratoplane_client.cli.parameters import MEMORY_MIB, SIZE_GIB, completing, limit_option
from stratoplane_client.cli.session import Session

if TYPE_CHECKING:
    from stratoplane_client.models.platform import Flavor

_COLUMNS = (
    Column("NAME", lambda each: each.name),
    Column("CPU", lambda each: str(each.vcpus)),
    Column("MEMORY", lambda each: tables.memory(each.memory_mib)),
    Column("DISK", lambda each: f"{each.disk_gib} GiB"),
)
_names = completing(lambda session, _: (each.name for each in session.client.flavors.list()))


@click.group("flavor", cls=Noun)
def command() -> None:
    """Sizes of machines. Operators create, change and delete them."""


@command.command("list")
@limit_option()
@click.pass_obj
def list_flavors(session: Session, most: int | None) -> None:
    """List flavors."""
    session.does("list flavors")
    show_many(session, islice(session.client.flavors.list(), most), _COLUMNS, nothing="There are no flavors yet.")


@command.command("show")
@click.argument("name", shell_complete=_names)
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show the details of a flavor."""
    from stratoplane_client.reading import find

    session.does(f"show flavor {name}", "flavor")
    show_one(session, find(session.client.flavors.list, None, "flavor", name), _details)


@command.command("create")
@click.argument("name")
@click.option("--vcpus", type=int, required=True, metavar="NUMBER", help="Number of virtual CPUs.")
@click.option(
    "--memory", type=MEMORY_MIB, required=True, metavar="SIZE", help="Memory in MiB, or with a unit such as 4GiB."
)
@click.option("--disk", type=SIZE_GIB, required=True, metavar="SIZE", help="Root disk in GiB.")
@click.pass_obj
def create(session: Session, name: str, vcpus: int, memory: int, disk: int) -> None:
    """Create a flavor (operators)."""
    session.does(f"create flavor {name}")
    made = session.client.operator.flavors.create(name=name, vcpus=vcpus, memory_mib=memory, disk_gib=disk)
    show_done(session, made, f"flavor {name} created")


@command.command("update")
@click.argument("name", shell_complete=_names)
@click.option("--name", "new_name", metavar="NAME", help="New name.")
@click.option("--vcpus", type=int, metavar="NUMBER", help="Number of virtual CPUs.")
@click.option("--memory", type=MEMORY_MIB, metavar="SIZE", help="Memory in MiB, or with a unit such as 4GiB.")
@click.option("--disk", type=SIZE_GIB, metavar="SIZE", help="Root disk in GiB.")
@click.pass_obj
def update(session: Session, /, name: str, **options: Any) -> None:
    """Change a flavor (operators); existing machines keep their size."""
    session.does(f"update flavor {name}", "flavor")
    flavors = session.client.operator.flavors
    changed = flavors.update(
        flavors.find(name).id,
        name=options["new_name"],
        vcpus=options["vcpus"],
        memory_mib=options["memory"],
        disk_gib=options["disk"],
    )
    show_done(session, changed, f"flavor {changed.name} changed")


@command.command("delete")
@click.argument("wanted", metavar="NAME...", nargs=-1, required=True, shell_complete=_names)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def delete(session: Session, wanted: tuple[str, ...], yes: bool) -> None:  # noqa: FBT001
    """Delete flavors (operators)."""
    session.does("delete flavors")
    calls = session.client.operator.flavors
    delete_each(session, wanted, Deletion(noun="flavor", find=calls.find, delete=calls.delete), yes=yes)


def _details(each: "Flavor") -> Iterable[tuple[str, str]]:
    yield "Name", each.name
    yield "Id", each.id
    yield "CPU", str(each.vcpus)
    yield "Memory", tables.memory(each.memory_mib)
    yield "Disk", f"{each.disk_gib} GiB"
    yield "Created", tables.timestamp(each.created_at)
