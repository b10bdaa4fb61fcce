# SPDX-License-Identifier: Apache-2.0
"""``stratoplane drift``."""

from itertools import islice

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.groups import Noun
from stratoplane_client.cli.output import Column, show_done, show_many, show_message
from stratoplane_client.cli.parameters import limit_option
from stratoplane_client.cli.session import Session

_COLUMNS = (
    Column("KIND", lambda each: each.kind),
    Column("NAME", lambda each: each.name),
    Column("FIELD", lambda each: each.field),
    Column("DESIRED", lambda each: str(each.desired)),
    Column("OBSERVED", lambda each: str(each.observed)),
    Column("POLICY", lambda each: each.policy),
    Column("TRIES", lambda each: str(each.corrections)),
    Column("AGE", lambda each: tables.age(each.found_at)),
    Column("LASTED", lambda each: tables.duration(each.found_at, each.ended_at)),
    Column("CLUSTER", lambda each: each.cluster or "-"),
)
_POLICIES = (
    Column("KIND", lambda each: each.kind),
    Column("FIELD", lambda each: each.field),
    Column("DRIVER", lambda each: each.driver),
    Column("POLICY", lambda each: each.policy),
    Column("SET", lambda each: "yes" if each.is_set else "-"),
    Column("MAY BE", lambda each: ", ".join(each.allowed)),
)
_ORPHANS = (
    Column("KIND", lambda each: each.kind),
    Column("MARK", lambda each: each.uid),
    Column("CLUSTER", lambda each: each.cluster),
    Column("SEEN", lambda each: tables.age(each.first_seen_at)),
)


@click.group("drift", cls=Noun)
def command() -> None:
    """Differences between what is desired and what is there."""


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are gone.")
@click.option("--resource", "resource_id", metavar="ID", help="Only those of this resource.")
@limit_option(50)
@click.pass_obj
def list_drift(session: Session, everything: bool, resource_id: str | None, most: int) -> None:  # noqa: FBT001
    """List differences, newest first (operators)."""
    session.does("list differences")
    found = session.client.operator.drift.list(open="false" if everything else None, resource_id=resource_id)
    show_many(session, islice(found, most), _COLUMNS, nothing="Everything is as it is desired to be.")


@command.command("policies")
@click.pass_obj
def list_policies(session: Session) -> None:
    """List what is done about differences, field by field (operators)."""
    session.does("list drift policies")
    show_many(session, session.client.operator.drift_policies.list(), _POLICIES, nothing="Nothing is compared.")


@command.command("set-policy")
@click.argument("kind")
@click.argument("field")
@click.argument("policy", type=click.Choice(["correct", "adopt", "alert"]))
@click.option("--driver", default="*", metavar="NAME", help="Only for clusters with this driver.")
@click.pass_obj
def set_policy(session: Session, kind: str, field: str, policy: str, driver: str) -> None:
    """Set what is done about differences of FIELD of KIND, as virtual_machine power (operators)."""
    session.does(f"set the policy for {field} of {kind}")
    made = session.client.operator.drift_policies.set(kind=kind, field=field, policy=policy, driver=driver)
    show_done(session, made, f"{made.field} of {made.kind}: {made.policy}")


@command.command("reset-policy")
@click.argument("kind")
@click.argument("field")
@click.option("--driver", default="*", metavar="NAME", help="The driver that it was set for.")
@click.pass_obj
def reset_policy(session: Session, kind: str, field: str, driver: str) -> None:
    """Return to the platform's own policy (operators)."""
    session.does(f"reset the policy for {field} of {kind}")
    session.client.operator.drift_policies.reset(kind=kind, field=field, driver=driver)
    show_message(session, f"{field} of {kind} follows the platform's own policy")


@command.command("orphans")
@limit_option(50)
@click.pass_obj
def list_orphans(session: Session, most: int) -> None:
    """List objects that carry our mark and belong to no resource (operators)."""
    session.does("list orphans")
    found = session.client.operator.orphans.list()
    show_many(session, islice(found, most), _ORPHANS, nothing="Every object that carries our mark has its resource.")
