# SPDX-License-Identifier: Apache-2.0
"""``stratoplane vm``."""

import sys
from typing import Any

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.changing import (
    ChangeMode,
    carry_out,
    carry_out_each,
    change_options,
    retry_on_conflict,
    warn_of_effect,
)
from stratoplane_client.cli.kinds import KEYS, MACHINES, NETWORKS, VOLUMES, Kind
from stratoplane_client.cli.output import document
from stratoplane_client.cli.parameters import completing, file_text, label_option, timeout_option
from stratoplane_client.cli.progress import watching
from stratoplane_client.cli.session import Session
from stratoplane_client.cli.verbs import KindCommand, argument

_flavors = completing(lambda session, _: (each.name for each in session.client.flavors.list()))
_volumes = completing(VOLUMES.names)
_networks = completing(NETWORKS.names)
_images = completing(lambda session, _: (each.name for each in session.client.images.list()))


command = KindCommand(MACHINES, summary="Virtual machines.")


@command.command("create")
@click.argument("name")
@click.option(
    "--flavor", required=True, metavar="FLAVOR", shell_complete=_flavors, help="Flavor (size) of the machine."
)
@click.option("--image", metavar="IMAGE", shell_complete=_images, help="Image to create the machine from.")
@click.option(
    "--boot-volume", metavar="VOLUME", shell_complete=_volumes, help="Volume to boot from, instead of --image."
)
@click.option(
    "--network",
    "networks",
    metavar="NETWORK",
    multiple=True,
    shell_complete=_networks,
    help="Network to join; may be repeated.",
)
@click.option(
    "--volume",
    "volumes",
    metavar="VOLUME",
    multiple=True,
    shell_complete=_volumes,
    help="Volume to attach; may be repeated.",
)
@click.option("--key", metavar="KEY", shell_complete=completing(KEYS.names), help="Key pair to authorize in the guest.")
@click.option("--user-data", metavar="FILE", help="File with cloud-init user data; - for standard input.")
@click.option("--cluster", metavar="NAME", help="Cluster to create it on; chosen automatically by default.")
@click.option("--stopped", is_flag=True, help="Do not start it.")
@label_option
@change_options
@click.pass_obj
def create(session: Session, /, name: str, mode: ChangeMode, **options: Any) -> None:
    """Create a virtual machine and start it."""
    if (options["image"] is None) == (options["boot_volume"] is None):
        raise click.UsageError("specify exactly one of --image and --boot-volume")
    user_data = file_text(options["user_data"])
    session.does(f"create vm {name}")
    network_ids = ids(session, NETWORKS, options["networks"])
    volume_ids = ids(session, VOLUMES, options["volumes"])
    boot = ids(session, VOLUMES, [options["boot_volume"]] if options["boot_volume"] else [])
    carry_out(
        session,
        MACHINES,
        "create",
        name,
        mode,
        lambda calls: calls.create(
            name=name,
            flavor=options["flavor"],
            image=options["image"],
            boot_volume_id=boot[0] if boot else None,
            network_ids=network_ids,
            volume_ids=volume_ids,
            key_pair=options["key"],
            user_data=user_data,
            labels=dict(options["labels"]),
            cluster=options["cluster"],
            power="STOPPED" if options["stopped"] else None,
        ),
    )


def ids(session: Session, kind: Kind, names: Any) -> tuple[str, ...]:
    """Return the ids of the named resources, in their order."""
    session.noun = kind.noun
    return tuple(kind.calls(session).find(each).id for each in names)


@command.command("start")
@argument(MACHINES, "names", many=True)
@change_options
@click.pass_obj
def start(session: Session, names: tuple[str, ...], mode: ChangeMode) -> None:
    """Start machines."""
    carry_out_each(
        session, MACHINES, "start", names, mode, lambda calls, found: calls.update(found.id, power="RUNNING")
    )


@command.command("stop")
@argument(MACHINES, "names", many=True)
@change_options
@click.pass_obj
def stop(session: Session, names: tuple[str, ...], mode: ChangeMode) -> None:
    """Stop machines."""
    carry_out_each(session, MACHINES, "stop", names, mode, lambda calls, found: calls.update(found.id, power="STOPPED"))


@command.command("reboot")
@argument(MACHINES, "names", many=True)
@change_options
@click.pass_obj
def reboot(session: Session, names: tuple[str, ...], mode: ChangeMode) -> None:
    """Restart running machines."""
    carry_out_each(session, MACHINES, "reboot", names, mode, lambda calls, found: calls.reboot(found.id))


@command.command("resize")
@argument(MACHINES)
@click.argument("flavor", shell_complete=_flavors)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@change_options
@click.pass_obj
def resize(session: Session, name: str, flavor: str, yes: bool, mode: ChangeMode) -> None:  # noqa: FBT001  # click's call
    """Change the flavor of a machine.

    Most clusters must stop a running machine for it, and start it again: that is said before it is done, and by
    --dry-run, and a terminal is asked for confirmation.
    """

    def change(calls: Any, found: Any) -> Any:
        return calls.update(found.id, flavor=flavor)

    if not mode.dry_run:
        warn_of_effect(session, MACHINES, "resize", name, change, yes=yes)
    carry_out_each(session, MACHINES, "resize", [name], mode, change)


@command.command("attach")
@argument(MACHINES)
@argument(VOLUMES, "volumes", many=True)
@change_options
@click.pass_obj
def attach(session: Session, name: str, volumes: tuple[str, ...], mode: ChangeMode) -> None:
    """Attach volumes to a machine."""
    session.does(f"attach volumes to vm {name}")
    added = ids(session, VOLUMES, volumes)
    _change_volumes(session, name, mode, lambda present: tuple(dict.fromkeys((*present, *added))))


@command.command("detach")
@argument(MACHINES)
@argument(VOLUMES, "volumes", many=True)
@change_options
@click.pass_obj
def detach(session: Session, name: str, volumes: tuple[str, ...], mode: ChangeMode) -> None:
    """Detach volumes from a machine; their data is kept."""
    session.does(f"detach volumes from vm {name}")
    gone = ids(session, VOLUMES, volumes)
    _change_volumes(session, name, mode, lambda present: tuple(each for each in present if each not in gone))


def _change_volumes(session: Session, name: str, mode: ChangeMode, wanted: Any) -> None:
    def change(calls: Any, found: Any) -> Any:
        return retry_on_conflict(
            MACHINES.calls(session),
            found,
            lambda machine: calls.update(machine.id, volume_ids=wanted(machine.volume_ids), if_match=machine.etag),
        )

    carry_out_each(session, MACHINES, "update", [name], mode, change)


@command.command("console")
@argument(MACHINES)
@timeout_option(120.0)
@click.pass_obj
def console(session: Session, name: str, timeout: float) -> None:
    """Print what a machine wrote to its serial console."""
    session.does(f"read the console of vm {name}", MACHINES.noun)
    calls = MACHINES.calls(session)
    found = calls.find(name)
    with watching(f"console of vm {found.name}") as watcher:
        text = calls.console(found.id, timeout=timeout, progress=watcher)
    if session.machine_readable:
        document(session, {"text": text})
    else:
        # A guest must not command the terminal of who reads what it wrote; a file gets every byte.
        shown = "\n".join(map(tables.plain, text.splitlines())) if sys.stdout.isatty() else text
        click.echo(shown, nl=not shown.endswith("\n"))
