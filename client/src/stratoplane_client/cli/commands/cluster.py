# SPDX-License-Identifier: Apache-2.0
"""``stratoplane cluster``."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.changing import Deletion, delete_each, retry_on_conflict
from stratoplane_client.cli.groups import Noun
from stratoplane_client.cli.output import Column, document, show_done, show_many, show_one
from stratoplane_client.cli.parameters import DURATION, completing, label_option, relabel_options, relabelled
from stratoplane_client.cli.session import Session
from stratoplane_client.errors import AccessDeniedError

if TYPE_CHECKING:
    from stratoplane_client.models.platform import Cluster

_GIB = 1024
_NAMES = (
    Column("NAME", lambda each: each.name),
    Column("ONLINE", lambda each: "yes" if each.online else "no"),
    Column("FEATURES", lambda each: tables.joined(each.features)),
)
_COLUMNS = (
    Column("NAME", lambda each: each.name),
    Column("STATE", lambda each: each.state),
    Column("ONLINE", lambda each: "yes" if each.online else "no"),
    Column("CPU", lambda each: f"{each.vcpus_claimed}/{each.vcpus_total}"),
    Column("MEMORY GIB", lambda each: f"{each.memory_mib_claimed / _GIB:.0f}/{each.memory_mib_total / _GIB:.0f}"),
    Column("STORAGE GIB", lambda each: f"{each.storage_gib_claimed}/{each.storage_gib_total}"),
    Column("LAST SEEN", lambda each: "never" if each.seen_at is None else f"{tables.age(each.seen_at)} ago"),
    Column("AGE", lambda each: tables.age(each.created_at)),
)
_names = completing(lambda session, _: (each.name for each in session.client.clusters.list()))


@click.group("cluster", cls=Noun)
def command() -> None:
    """Clusters that resources are placed on."""


@command.command("list")
@click.pass_obj
def list_clusters(session: Session) -> None:
    """List clusters: names and features, for operators also state and capacity."""
    session.does("list clusters")
    nothing = "There are no clusters yet."
    try:
        show_many(session, list(session.client.operator.clusters.list()), _COLUMNS, nothing=nothing)
    except AccessDeniedError:
        show_many(session, session.client.clusters.list(), _NAMES, nothing=nothing)


@command.command("show")
@click.argument("name", shell_complete=_names)
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show the details of a cluster (operators)."""
    session.does(f"show cluster {name}", "cluster")
    show_one(session, session.client.operator.clusters.find(name), _details)


@command.command("create")
@click.argument("name")
@click.option("--description", help="Text for people.")
@label_option
@click.pass_obj
def create(session: Session, name: str, description: str | None, labels: Any) -> None:
    """Create a cluster (operators); an agent joins with a join token."""
    session.does(f"create cluster {name}")
    made = session.client.operator.clusters.create(name=name, description=description, labels=dict(labels))
    show_done(
        session, made, f"cluster {name} created; 'stratoplane cluster join-token {name}' creates a token for its agent"
    )


@command.command("update")
@click.argument("name", shell_complete=_names)
@click.option("--description", help="Text for people.")
@click.option(
    "--state",
    type=click.Choice(["ENABLED", "DRAINING", "DISABLED"], case_sensitive=False),
    help="DRAINING and DISABLED clusters receive no new resources; the jobs of DISABLED ones wait.",
)
@relabel_options
@click.pass_obj
def update(session: Session, /, name: str, **options: Any) -> None:
    """Change a cluster (operators)."""
    session.does(f"update cluster {name}", "cluster")
    clusters = session.client.operator.clusters
    changed = retry_on_conflict(
        clusters,
        clusters.find(name),
        lambda fresh: clusters.update(
            fresh.id,
            description=options["description"],
            labels=relabelled(fresh.labels, options["labels"], options["removed"]),
            state=options["state"],
            if_match=fresh.etag,
        ),
    )
    show_done(session, changed, f"cluster {changed.name} changed: {changed.state}")


@command.command("delete")
@click.argument("wanted", metavar="NAME...", nargs=-1, required=True, shell_complete=_names)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def delete(session: Session, wanted: tuple[str, ...], yes: bool) -> None:  # noqa: FBT001
    """Delete empty clusters (operators); their agents lose access."""
    session.does("delete clusters")
    calls = session.client.operator.clusters
    delete_each(session, wanted, Deletion(noun="cluster", find=calls.find, delete=calls.delete), yes=yes)


@command.command("join-token")
@click.argument("name", shell_complete=_names)
@click.option(
    "--expires-in", type=DURATION, metavar="DURATION", help="Lifetime, such as 10m or 2h; one hour by default."
)
@click.option(
    "--replace", is_flag=True, help="Let the agent take the place of the cluster's agent, which is revoked then."
)
@click.pass_obj
def join_token(session: Session, name: str, expires_in: int | None, replace: bool) -> None:  # noqa: FBT001
    """Create a token with which one agent can join, once (operators).

    A cluster has one agent: without --replace the token is of use once that agent is revoked or locked.

    The token alone is on standard output, so that it can go straight into a file or a variable.
    """
    session.does(f"create a join token of cluster {name}", "cluster")
    clusters = session.client.operator.clusters
    found = clusters.find(name)
    made = clusters.create_join_token(found.id, expires_in=expires_in, replace=replace or None)
    if session.machine_readable:
        document(session, made.raw)
        return
    until = f"until {made.expires_at.astimezone():%H:%M:%S}" if made.expires_at else "for a while"
    click.echo(f"Join token for one agent of cluster {found.name}, valid once {until}:", err=True)
    click.echo(made.token)


def _details(each: "Cluster") -> Iterable[tuple[str, str]]:
    yield "Name", each.name
    yield "Id", each.id
    yield "State", each.state
    yield "Online", "yes" if each.online else "no"
    yield "Last seen", tables.timestamp(each.seen_at)
    yield "Features", "\n".join(each.features) or "-"
    yield "CPU", f"{each.vcpus_claimed} of {each.vcpus_total}"
    yield "Memory", f"{tables.memory(each.memory_mib_claimed)} of {tables.memory(each.memory_mib_total)}"
    yield "Storage", f"{each.storage_gib_claimed} of {each.storage_gib_total} GiB"
    yield "Description", each.description or "-"
    yield "Labels", tables.labels(each.labels)
    yield "Created", tables.timestamp(each.created_at)
    yield "Version", str(each.version)
