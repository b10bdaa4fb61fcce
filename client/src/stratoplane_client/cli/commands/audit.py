# SPDX-License-Identifier: Apache-2.0
"""``stratoplane audit``."""

from itertools import islice

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.any_object import any_id
from stratoplane_client.cli.groups import ProjectNoun
from stratoplane_client.cli.output import Column, show_many
from stratoplane_client.cli.parameters import MOMENT, limit_option
from stratoplane_client.cli.session import Session

_COLUMNS = (
    Column("WHEN", lambda each: tables.moment(each.occurred_at)),
    Column("ACTOR", lambda each: each.actor or "-"),
    Column("ACTION", lambda each: each.action),
    Column("SUBJECT", lambda each: each.subject_name or each.subject_id or "-"),
    Column("OUTCOME", lambda each: each.outcome),
    Column("REQUEST", lambda each: each.request_id or "-"),
)
_CHECKPOINTS = (
    Column("EVENTS", lambda each: str(each.size)),
    Column("SEALED", lambda each: tables.moment(each.sealed_at)),
    Column("ROOT", lambda each: each.root),
)


@click.group("audit", cls=ProjectNoun)
def command() -> None:
    """The audit trail: what was done, and by whom."""


@command.command("list")
@click.option("--subject", metavar="NAME|ID", help="Only events of this object; vm/NAME if several kinds have one.")
@click.option("--actor", metavar="WHO", help="Only what WHO caused, such as user:alice.")
@click.option("--action", metavar="ACTION", help="Only events of this action.")
@click.option("--since", type=MOMENT, metavar="TIME", help="Only events from then on: a time, or an age such as 2h.")
@click.option("--until", type=MOMENT, metavar="TIME", help="Only events before then: a time, or an age such as 2h.")
@click.option("--all-orgs", is_flag=True, help="For operators: events of every organization.")
@limit_option(50)
@click.pass_obj
def list_events(session: Session, /, subject: str | None, all_orgs: bool, most: int, **only: str | None) -> None:  # noqa: FBT001
    """List the events of the organization, newest first; with --project, of that project."""
    session.does("list audit events")
    client = session.client
    if all_orgs:
        events = client.operator.audit_events
    else:
        events = client.audit_events(session.project_id if session.named_project else None)
    subject_id = None if subject is None else any_id(session, subject)
    session.does("list audit events")
    show_many(
        session,
        islice(events.list(subject_id=subject_id, **only), most),
        _COLUMNS,
        nothing="There are no audit events.",
    )


@command.command("checkpoints")
@limit_option(50)
@click.pass_obj
def list_checkpoints(session: Session, most: int) -> None:
    """List signed checkpoints of the trail, newest first (operators). -o json includes the signed notes."""
    session.does("list checkpoints of the audit trail")
    found = session.client.operator.audit_checkpoints.list()
    show_many(session, islice(found, most), _CHECKPOINTS, nothing="There are no checkpoints.")
