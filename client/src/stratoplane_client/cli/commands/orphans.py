# SPDX-License-Identifier: Apache-2.0
"""The commands of ``stratoplane drift`` about objects without a resource."""

from itertools import islice
from typing import Final

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.changing import type_name
from stratoplane_client.cli.groups import Verb
from stratoplane_client.cli.output import Column, show_done, show_many
from stratoplane_client.cli.parameters import limit_option
from stratoplane_client.cli.session import Session, any_project_id
from stratoplane_client.models.drift import Orphan

_COLUMNS = (
    Column("KIND", lambda each: each.kind),
    Column("NAME", lambda each: each.name or "-"),
    Column("UID", lambda each: each.uid),
    Column("CLUSTER", lambda each: each.cluster),
    Column("AGE", lambda each: tables.age(each.first_seen_at)),
)


@click.command("orphans", cls=Verb)
@limit_option(50)
@click.pass_obj
def list_orphans(session: Session, most: int) -> None:
    """List objects that the platform created and that belong to no resource (operators)."""
    session.does("list orphans")
    found = session.client.operator.orphans.list()
    show_many(session, islice(found, most), _COLUMNS, nothing="There are no orphans.")


@click.command("delete-orphan", cls=Verb)
@click.argument("uid")
@click.option("--cluster", metavar="NAME", help="Cluster of the orphan, if several list one of this uid.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for the name.")
@click.option("--dry-run", is_flag=True, help="Check only; change nothing.")
@click.pass_obj
def delete_orphan(session: Session, uid: str, *, cluster: str | None, yes: bool, dry_run: bool) -> None:
    """Delete the orphan UID at its provider (operators). Asks for its name, which confirms the deletion."""
    session.does(f"delete orphan {uid}")
    found = _orphan(session, uid, cluster)
    name = found.name or found.uid
    if not yes and not dry_run:
        name = type_name(session, f"{found.kind} {name} on cluster {found.cluster} will be deleted with its data.")
    orphans = session.client.operator.orphans
    job = orphans.delete(cluster_id=found.cluster_id, uid=found.uid, name=name, dry_run=dry_run)
    if dry_run:
        show_done(session, job, f"Would delete {found.kind} {name} on {found.cluster}. Nothing was changed.")
        return
    show_done(session, job, f"{found.kind} {name}: deletion on {found.cluster} accepted, job {job.id}")


@click.command("adopt-orphan", cls=Verb)
@click.argument("uid")
@click.option("--cluster", metavar="NAME", help="Cluster of the orphan, if several list one of this uid.")
@click.option("--into", required=True, metavar="ORG/PROJECT|ID", help="Project to adopt it into.")
@click.option("--name", metavar="NAME", help="Name of the resource, the object's own if not given.")
@click.option("--flavor", default="", metavar="NAME", help="Flavor that a virtual machine has.")
@click.option("--image", default="", metavar="NAME", help="Image that a virtual machine was made from.")
@click.option("--dry-run", is_flag=True, help="Check only; change nothing.")
@click.pass_obj
def adopt_orphan(
    session: Session,
    uid: str,
    *,
    cluster: str | None,
    into: str,
    name: str | None,
    flavor: str,
    image: str,
    dry_run: bool,
) -> None:
    """Adopt the orphan UID as a resource of a project, under its own id (operators)."""
    session.does(f"adopt orphan {uid}")
    found = _orphan(session, uid, cluster)
    wanted = name or found.name
    job = session.client.operator.orphans.adopt(
        cluster_id=found.cluster_id,
        uid=found.uid,
        project_id=any_project_id(session, into),
        name=wanted,
        flavor=flavor,
        image=image,
        dry_run=dry_run,
    )
    if dry_run:
        show_done(session, job, f"Would adopt {found.kind} {uid} as {wanted}. Nothing was changed.")
        return
    show_done(session, job, f"{found.kind} {uid}: adoption as {wanted} accepted, job {job.id}")


def _orphan(session: Session, uid: str, cluster: str | None) -> Orphan:
    """Return the listed orphan of this uid.

    Raises:
        click.UsageError: there is none, or several clusters list one.
    """
    listed = session.client.operator.orphans.list()
    found = [each for each in listed if each.uid == uid and cluster in (None, each.cluster)]
    if not found:
        raise click.UsageError(f"there is no orphan {uid}; list them with 'stratoplane drift orphans'")
    if len(found) > 1:
        names = ", ".join(each.cluster for each in found)
        raise click.UsageError(f"the clusters {names} list an orphan {uid} each; name one with --cluster")
    return found[0]


COMMANDS: Final = (list_orphans, delete_orphan, adopt_orphan)
