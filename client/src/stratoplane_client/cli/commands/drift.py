# SPDX-License-Identifier: Apache-2.0
"""``stratoplane drift``."""

from itertools import islice

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.commands import orphans
from stratoplane_client.cli.groups import Noun
from stratoplane_client.cli.output import Column, show_done, show_many, show_message
from stratoplane_client.cli.parameters import limit_option
from stratoplane_client.cli.session import Session

_COLUMNS = (
    Column("KIND", lambda each: each.kind),
    Column("NAME", lambda each: each.name),
    Column("FIELD", lambda each: each.field),
    Column("DESIRED", lambda each: tables.value(each.desired)),
    Column("OBSERVED", lambda each: tables.value(each.observed)),
    Column("POLICY", lambda each: each.policy),
    Column("CORRECTIONS", lambda each: str(each.corrections)),
    Column("AGE", lambda each: tables.age(each.found_at)),
    Column("DURATION", lambda each: tables.duration(each.found_at, each.ended_at)),
    Column("CLUSTER", lambda each: each.cluster or "-"),
)
_POLICIES = (
    Column("KIND", lambda each: each.kind),
    Column("FIELD", lambda each: each.field),
    Column("DRIVER", lambda each: each.driver),
    Column("POLICY", lambda each: each.policy),
    Column("SET", lambda each: "yes" if each.is_set else "-"),
    Column("ALLOWED", lambda each: ", ".join(each.allowed)),
)

_MOST_COUNTED = 1000
_MOST_SEARCHED = 10_000
"""Rows that are looked through for a name."""


@click.group("drift", cls=Noun)
def command() -> None:
    """Drift: observed state that differs from desired state."""


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Include drift that has ended.")
@click.option("--resource", metavar="NAME|ID", help="Only those of this resource, or of all of this name.")
@limit_option(50)
@click.pass_obj
def list_drift(session: Session, everything: bool, resource: str | None, most: int) -> None:  # noqa: FBT001
    """List drift, newest first (operators)."""
    from stratoplane_client.reading import is_id

    session.does("list drift")
    resource_id = resource if resource is not None and is_id(resource) else None
    found = session.client.operator.drift.list(open="false" if everything else None, resource_id=resource_id)
    if resource is not None and resource_id is None:
        found = (each for each in islice(found, _MOST_SEARCHED) if each.name == resource)
    show_many(session, islice(found, most), _COLUMNS, nothing="No field of any resource drifts.")
    if session.output == "table" and resource is None:
        _say_what_else_is_open(session)


def _say_what_else_is_open(session: Session) -> None:
    """Tell of what has no field to compare: objects without a resource, and resources without an object."""
    operator = session.client.operator
    for found, noun, shown_by in (
        (operator.orphans.list(), "orphan", "drift orphans"),
        (operator.incidents.list(kind="resource-lost"), "lost resource", "incident list --kind resource-lost"),
    ):
        count = len(list(islice(found, _MOST_COUNTED)))
        if count:
            more = " or more" if count == _MOST_COUNTED else ""
            click.echo(f"{count}{more} {noun}{'s' * (count > 1)}: 'stratoplane {shown_by}'", err=True)


@command.command("policies")
@click.pass_obj
def list_policies(session: Session) -> None:
    """List the drift policy of each field (operators)."""
    session.does("list drift policies")
    show_many(session, session.client.operator.drift_policies.list(), _POLICIES, nothing="There are no drift policies.")


@command.command("set-policy")
@click.argument("kind")
@click.argument("field")
@click.argument("policy", type=click.Choice(["correct", "adopt", "alert"]))
@click.option("--driver", default="*", metavar="NAME", help="Only for clusters with this driver.")
@click.pass_obj
def set_policy(session: Session, kind: str, field: str, policy: str, driver: str) -> None:
    """Set the drift policy of a field, such as virtual_machine power correct (operators)."""
    session.does(f"set the policy for {field} of {kind}")
    made = session.client.operator.drift_policies.set(kind=kind, field=field, policy=policy, driver=driver)
    show_done(session, made, f"{made.field} of {made.kind}: {made.policy}")


@command.command("reset-policy")
@click.argument("kind")
@click.argument("field")
@click.option("--driver", default="*", metavar="NAME", help="Driver that the policy was set for.")
@click.pass_obj
def reset_policy(session: Session, kind: str, field: str, driver: str) -> None:
    """Reset a field to the platform's default policy (operators)."""
    session.does(f"reset the policy for {field} of {kind}")
    session.client.operator.drift_policies.reset(kind=kind, field=field, driver=driver)
    show_message(session, f"{field} of {kind}: reset to the default policy")


for _each in orphans.COMMANDS:
    command.add_command(_each)
