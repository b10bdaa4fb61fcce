# SPDX-License-Identifier: Apache-2.0
"""``stratoplane load-balancer``."""

from dataclasses import dataclass
from typing import Any, Final

import click

from stratoplane_client import Resource
from stratoplane_client.cli.changing import ChangeMode, carry_out, change_options
from stratoplane_client.cli.kinds import AGE, CLUSTER, MACHINES, NAME, STATUS, Kind, Rows, closing_rows, leading_rows
from stratoplane_client.cli.output import Column
from stratoplane_client.cli.parameters import completing, label_option
from stratoplane_client.cli.session import Session
from stratoplane_client.cli.verbs import KindCommand

# The command must not need what agents and control plane have installed, so it does not import Algorithm.
_ALGORITHM: Final = click.Choice(["ROUND_ROBIN", "LEAST_CONNECTIONS"], case_sensitive=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadBalancer(Resource):
    """A load balancer of a project."""

    port: int = 0
    algorithm: str = ""
    machine_ids: tuple[str, ...] = ()
    address: str = ""


def _details(each: LoadBalancer) -> Rows:
    yield from leading_rows(each)
    yield "Address", f"{each.address or '-'}, port {each.port}"
    yield "Algorithm", each.algorithm
    yield "Machines", "\n".join(each.machine_ids) or "-"
    yield from closing_rows(each)


LOAD_BALANCERS: Final = Kind(
    noun="load-balancer",
    plural="load balancers",
    member="load_balancer",
    calls=lambda session: session.client.resources(
        session.project_id, "load-balancers", LoadBalancer, member="load_balancer"
    ),
    columns=(
        NAME,
        STATUS,
        Column("ADDRESS", lambda each: each.address or "-"),
        Column("PORT", lambda each: str(each.port)),
        Column("ALGORITHM", lambda each: each.algorithm),
        CLUSTER,
        AGE,
    ),
    details=_details,
    summary=lambda each: f"{each.status}, {each.address or '-'} port {each.port}",
)
command: Final = KindCommand(
    LOAD_BALANCERS,
    summary="Load balancers before virtual machines.",
    update_options=[click.Option(["--algorithm"], type=_ALGORITHM, help="How a machine is chosen.")],
)


@command.command("create")
@click.argument("name")
@click.option("--port", type=click.IntRange(1, 65_535), required=True, help="Port to listen on.")
@click.option("--algorithm", type=_ALGORITHM, help="How a machine is chosen; in turn by default.")
@click.option(
    "--machine", "machines", metavar="VM", multiple=True, shell_complete=completing(MACHINES.names), help="Backend."
)
@click.option("--cluster", metavar="NAME", help="Cluster to create it on; chosen automatically by default.")
@label_option
@change_options
@click.pass_obj
def create(session: Session, /, name: str, mode: ChangeMode, **options: Any) -> None:
    """Create a load balancer."""
    known = MACHINES.calls(session)
    machine_ids = [known.find(each).id for each in options["machines"]]
    carry_out(
        session,
        LOAD_BALANCERS,
        "create",
        name,
        mode,
        lambda calls: calls.create(
            name=name,
            port=options["port"],
            algorithm=options["algorithm"],
            machine_ids=machine_ids,
            labels=dict(options["labels"]),
            cluster=options["cluster"],
        ),
    )
