# SPDX-License-Identifier: Apache-2.0
"""``stratoplane foreign-object``."""

from itertools import islice
from typing import Any

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.groups import Noun
from stratoplane_client.cli.output import Column, show_done, show_many
from stratoplane_client.cli.parameters import key_option, limit_option
from stratoplane_client.cli.session import Session, any_project_id

_COLUMNS = (
    Column("CLUSTER", lambda each: each.cluster),
    Column("KIND", lambda each: each.kind),
    Column("NAME", lambda each: each.name or "-"),
    Column("AGE", lambda each: tables.age(each.first_seen_at)),
    Column("REFERENCE", lambda each: each.reference),
)


@click.group("foreign-object", cls=Noun)
def command() -> None:
    """Objects on clusters that the platform does not manage."""


@command.command("list")
@click.option("--cluster", metavar="NAME", help="Only those of this cluster.")
@click.option("--kind", metavar="KIND", help="Only those of this kind, such as virtual_machine.")
@limit_option(50)
@click.pass_obj
def list_foreign_objects(session: Session, cluster: str | None, kind: str | None, most: int) -> None:
    """List objects on clusters that the platform does not manage (operators)."""
    session.does("list foreign objects", "cluster")
    operator = session.client.operator
    only = None if cluster is None else operator.clusters.find(cluster).id
    found = operator.foreign_objects.list(cluster_id=only, kind=kind)
    show_many(session, islice(found, most), _COLUMNS, nothing="There are no foreign objects.")


@command.command("adopt")
@click.argument("reference")
@click.option("--cluster", required=True, metavar="NAME", help="Cluster of the object.")
@click.option("--kind", required=True, metavar="KIND", help="Kind of the object, such as volume.")
@click.option("--into", required=True, metavar="ORG/PROJECT|ID", help="Project to adopt it into.")
@click.option("--name", required=True, metavar="NAME", help="Name of the new resource.")
@click.option("--dry-run", is_flag=True, help="Check only; change nothing.")
@key_option
@click.pass_obj
def adopt(
    session: Session, /, reference: str, *, cluster: str, kind: str, into: str, dry_run: bool, **named: Any
) -> None:
    """Adopt the object REFERENCE as a resource of a project (operators)."""
    session.does(f"adopt {kind} {reference}", "foreign-object")
    operator = session.client.operator
    job = operator.foreign_objects.adopt(
        cluster_id=operator.clusters.find(cluster).id,
        kind=kind,
        reference=reference,
        project_id=any_project_id(session, into),
        dry_run=dry_run,
        **named,
    )
    if dry_run:
        show_done(session, job, f"Would adopt {kind} {reference} as {named['name']}. Nothing was changed.")
        return
    show_done(
        session, job, f"{kind} {reference}: adoption as {job.resource_name} ({job.resource_id}) accepted, job {job.id}"
    )
