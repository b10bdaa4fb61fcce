# SPDX-License-Identifier: Apache-2.0
"""Incidents: what a person must look at."""

from stratoplane.incidents import IncidentKind, IncidentStatus, Severity
from stratoplane_api.schemas import members as m
from stratoplane_api.schemas.queries import PageQuery
from stratoplane_api.schemas.strict import Answer, Request
from stratoplane_engine.model.incident import DeliveryState


class Incident(Answer):
    """What the platform cannot mend by itself; all findings of one cause are one incident."""

    id = m.identifier(required=True)
    kind = m.choice(IncidentKind, required=True)
    severity = m.choice(Severity, required=True)
    status = m.choice(IncidentStatus, required=True)
    title = m.text("What happened, and to which object.", required=True)
    detail = m.mapping("What is known about the cause.", required=True)
    occurrences = m.whole("How often a finding was added; once a minute at most.", required=True)
    assignee = m.text("Who handles the incident, as in `user:alice`; empty if nobody does.", required=True)
    escalation = m.whole("How often it was notified again because nobody had acknowledged it.", required=True)
    escalates_at = m.timestamp("When it escalates unless somebody acknowledges it.", required=True, allow_none=True)
    organization_id = m.identifier(required=True, allow_none=True)
    cluster_id = m.identifier(required=True, allow_none=True)
    cluster = m.text(required=True, allow_none=True)
    resource_id = m.identifier(required=True, allow_none=True)
    opened_at = m.timestamp("When the incident was last opened.", required=True)
    seen_at = m.timestamp("When the cause was last found.", required=True)
    acknowledged_at = m.timestamp(
        "When somebody acknowledged the incident; null if nobody has.", required=True, allow_none=True
    )
    resolved_at = m.timestamp("When the incident was resolved; null while it is open.", required=True, allow_none=True)


class IncidentEvent(Answer):
    """Something that happened with an incident."""

    action = m.text("As `opened`, `acknowledged`, `assigned`, `escalated`, `noted`, `resolved`.", required=True)
    actor = m.text("Who did it: `platform`, or a user as in `user:alice`.", required=True)
    note = m.text(required=True)
    detail = m.mapping(required=True)
    occurred_at = m.timestamp("When the event happened.", required=True)


class Delivery(Answer):
    """One notification to one plugin."""

    id = m.identifier(required=True)
    plugin = m.text(required=True)
    event = m.text("`opened`, `reopened`, `escalated` or `resolved`.", required=True)
    state = m.choice(DeliveryState, required=True)
    attempts = m.whole(required=True)
    error = m.text("Why the last attempt failed.", required=True)
    created_at = m.timestamp("When the notification was first due.", required=True)
    next_attempt_at = m.timestamp(
        "When the next attempt is made; null if there is none.", required=True, allow_none=True
    )
    finished_at = m.timestamp(
        "When the notification was delivered or given up; null until then.", required=True, allow_none=True
    )


class IncidentStory(Incident):
    """An incident with its history and notifications."""

    events = m.several(IncidentEvent, required=True)
    deliveries = m.several(Delivery, required=True)


class IncidentsQuery(PageQuery):
    """What the list of incidents takes beside paging."""

    status = m.choice(IncidentStatus, "Only those in this state; without it, all that are not resolved.")
    severity = m.choice(Severity, "Only those of this severity.")
    kind = m.choice(IncidentKind, "Only those of this kind.")
    cluster_id = m.identifier("Only those of this cluster.")
    assignee = m.line("Only those that this person looks at.", 256)


class Remark(Request):
    """A note for the history; may be empty."""

    note = m.text("A note for other people, kept in the history of the incident.", 1000, load_default="")


class Assignment(Request):
    """Who is to look at an incident."""

    assignee = m.line(
        "The user who shall handle the incident, as in `user:alice`; empty for nobody.", 256, required=True
    )
