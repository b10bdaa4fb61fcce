# SPDX-License-Identifier: Apache-2.0
"""``stratoplane incident``."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.groups import Noun
from stratoplane_client.cli.output import Column, show_done, show_many, show_one
from stratoplane_client.cli.parameters import id_argument, limit_option
from stratoplane_client.cli.session import Session

if TYPE_CHECKING:
    from stratoplane_client.models.incidents import Delivery, Incident, IncidentEvent

_COLUMNS = (
    Column("SEVERITY", lambda each: each.severity),
    Column("STATUS", lambda each: each.status),
    Column("KIND", lambda each: each.kind),
    Column("CLUSTER", lambda each: each.cluster or "-"),
    Column("AGE", lambda each: tables.age(each.opened_at)),
    Column("ASSIGNEE", lambda each: each.assignee or "-"),
    Column("ID", lambda each: each.id),
    Column("TITLE", lambda each: each.title),
)


@click.group("incident", cls=Noun)
def command() -> None:
    """Incidents that need attention."""


@command.command("list")
@click.option("--status", metavar="STATUS", help="Only OPEN, ACKNOWLEDGED or RESOLVED ones; all unresolved by default.")
@click.option("--severity", metavar="SEVERITY", help="Only INFO, WARNING or CRITICAL ones.")
@click.option("--kind", metavar="KIND", help="Only those of this kind, such as agent-lost.")
@click.option("--cluster", metavar="NAME", help="Only those of this cluster.")
@click.option("--assignee", metavar="WHO", help="Only those assigned to WHO, such as user:alice.")
@limit_option(50)
@click.pass_obj
def list_incidents(
    session: Session, /, status: str | None, severity: str | None, cluster: str | None, most: int, **exact: str | None
) -> None:
    """List incidents, newest first (operators)."""
    session.does("list incidents", "cluster")
    operator = session.client.operator
    found = operator.incidents.list(
        status=status and status.upper(),
        severity=severity and severity.upper(),
        cluster_id=None if cluster is None else operator.clusters.find(cluster).id,
        **exact,
    )
    show_many(session, islice(found, most), _COLUMNS, nothing="No incidents match.")


@command.command("show")
@id_argument("incident_id", "incident")
@click.pass_obj
def show(session: Session, incident_id: str) -> None:
    """Show an incident with its history and notifications (operators)."""
    session.does(f"show incident {incident_id}", "incident")
    show_one(session, session.client.operator.incidents.get(incident_id), _details)


def _add_verb(verb: str, summary: str, past: str, *, note_required: bool = False) -> None:
    @command.command(verb)
    @id_argument("incident_id", "incident")
    @click.option("--note", required=note_required, default=None if note_required else "", help="For the history.")
    @click.pass_obj
    def change(session: Session, incident_id: str, note: str) -> None:
        session.does(f"{verb} incident {incident_id}", "incident")
        incidents = session.client.operator.incidents
        acts: dict[str, Callable[..., Incident]] = {
            "acknowledge": incidents.acknowledge,
            "resolve": incidents.resolve,
            "reopen": incidents.reopen,
            "note": incidents.add_note,
        }
        found = acts[verb](incident_id, note=note)
        show_done(session, found, f"incident {found.id} {past}: {found.title}")

    change.help = f"{summary} (operators).{change.help}"


_add_verb("acknowledge", "Acknowledge an incident", "acknowledged")
_add_verb("resolve", "Resolve an incident", "resolved")
_add_verb("reopen", "Reopen an incident", "reopened")
_add_verb("note", "Add a note to the history of an incident", "annotated", note_required=True)


@command.command("assign")
@id_argument("incident_id", "incident")
@click.argument("assignee", metavar="WHO")
@click.pass_obj
def assign(session: Session, incident_id: str, assignee: str) -> None:
    """Assign an incident to WHO, such as user:alice; '-' for nobody (operators)."""
    session.does(f"assign incident {incident_id}", "incident")
    found = session.client.operator.incidents.assign(incident_id, assignee="" if assignee == "-" else assignee)
    show_done(session, found, f"incident {found.id} is assigned to {found.assignee or 'nobody'}: {found.title}")


@command.command("redeliver")
@id_argument("incident_id", "incident")
@click.argument("delivery_id", metavar="DELIVERY")
@click.pass_obj
def redeliver(session: Session, incident_id: str, delivery_id: str) -> None:
    """Send a notification again (operators)."""
    session.does(f"redeliver {delivery_id} of incident {incident_id}", "delivery")
    found = session.client.operator.incidents.redeliver(incident_id, delivery_id)
    show_done(session, found, f"delivery {found.id} to {found.plugin} queued again")


def _details(each: "Incident") -> Iterable[tuple[str, str]]:
    yield "Incident", each.title
    yield "Id", each.id
    yield "Kind", each.kind
    yield "Severity", each.severity
    yield "Status", each.status
    yield "Assignee", each.assignee or "-"
    yield "Cluster", each.cluster or "-"
    yield "Resource", each.resource_id or "-"
    yield "Detail", "\n".join(f"{name}: {value}" for name, value in each.detail.items()) or "-"
    yield "Opened", tables.timestamp(each.opened_at)
    yield "Seen", tables.timestamp(each.seen_at)
    if each.escalates_at is not None:
        yield "Escalates", tables.age(each.escalates_at)
    yield "History", "\n".join(map(_event, each.events)) or "-"
    yield "Notifications", "\n".join(map(_delivery, each.deliveries)) or "none"


def _event(each: "IncidentEvent") -> str:
    assignee, level = each.detail.get("assignee"), each.detail.get("level")
    to = f" to {assignee}" if assignee else f" to level {level}" if level else ""
    note = f": {each.note}" if each.note else ""
    return f"{tables.age(each.occurred_at)} ago {each.action}{to} by {each.actor}{note}"


def _delivery(each: "Delivery") -> str:
    wrong = f": {each.error}" if each.error else ""
    return f"{each.plugin}: {each.event} {each.state} after {each.attempts} attempts, {each.id}{wrong}"
