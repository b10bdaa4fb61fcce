# SPDX-License-Identifier: Apache-2.0
"""``stratoplane agent``."""

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.changing import confirm
from stratoplane_client.cli.groups import Noun
from stratoplane_client.cli.output import Column, show_done, show_many
from stratoplane_client.cli.parameters import id_argument
from stratoplane_client.cli.session import Session

_COLUMNS = (
    Column("CLUSTER", lambda each: each.cluster),
    Column("NAME", lambda each: each.name),
    Column("STATE", lambda each: each.state),
    Column("LAST SEEN", lambda each: "never" if each.seen_at is None else f"{tables.age(each.seen_at)} ago"),
    Column("VERSION", lambda each: each.version),
    Column("KEY GENERATION", lambda each: str(each.generation)),
    Column("AGE", lambda each: tables.age(each.created_at)),
    Column("ID", lambda each: each.id),
)


@click.group("agent", cls=Noun)
def command() -> None:
    """Agents of clusters, and their state."""


@command.command("list")
@click.option("--cluster", metavar="NAME", help="Only those of this cluster.")
@click.pass_obj
def list_agents(session: Session, cluster: str | None) -> None:
    """List agents (operators)."""
    session.does("list agents", "cluster")
    operator = session.client.operator
    only = None if cluster is None else operator.clusters.find(cluster).id
    show_many(session, operator.agents.list(cluster_id=only), _COLUMNS, nothing="No agent has enrolled.")


@command.command("revoke")
@id_argument("agent_id", "agent")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def revoke(session: Session, agent_id: str, yes: bool) -> None:  # noqa: FBT001
    """Revoke an agent's access immediately (operators); its operations go to other agents when their leases expire."""
    session.does(f"revoke agent {agent_id}")
    confirm(session, f"Revoke agent {agent_id}?", yes=yes)
    gone = session.client.operator.agents.revoke(agent_id)
    show_done(session, gone, f"agent {gone.name} of cluster {gone.cluster} revoked")
