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
    title = m.text("What happened to what.", required=True)
    detail = m.mapping("What is known.", required=True)
    occurrences = m.whole("How often a finding was added; once a minute at most.", required=True)
    assignee = m.text("Who looks at it, as in `user:alice`.", required=True)
    escalation = m.whole("How often it was notified again because nobody had acknowledged it.", required=True)
    escalates_at = m.moment("When it escalates unless somebody acknowledges it.", required=True, allow_none=True)
    organization_id = m.identifier(required=True, allow_none=True)
    cluster_id = m.identifier(required=True, allow_none=True)
    cluster = m.text(required=True, allow_none=True)
    resource_id = m.identifier(required=True, allow_none=True)
    opened_at = m.moment("When it was opened, the last time.", required=True)
    seen_at = m.moment("When it was found last.", required=True)
    acknowledged_at = m.moment("When it was acknowledged.", required=True, allow_none=True)
    resolved_at = m.moment("When it was resolved.", required=True, allow_none=True)


class IncidentEvent(Answer):
    """Something that happened with an incident."""

    action = m.text("As `opened`, `acknowledged`, `assigned`, `escalated`, `noted`, `resolved`.", required=True)
    actor = m.text("`platform`, or as in `user:alice`.", required=True)
    note = m.text(required=True)
    detail = m.mapping(required=True)
    occurred_at = m.moment("When it happened.", required=True)


class Delivery(Answer):
    """One notification to one plugin."""

    id = m.identifier(required=True)
    plugin = m.text(required=True)
    event = m.text("`opened`, `reopened`, `escalated` or `resolved`.", required=True)
    state = m.choice(DeliveryState, required=True)
    attempts = m.whole(required=True)
    error = m.text("Why the last attempt failed.", required=True)
    created_at = m.moment("When it was due first.", required=True)
    next_attempt_at = m.moment("When it is tried next.", required=True, allow_none=True)
    finished_at = m.moment("When it was delivered or given up.", required=True, allow_none=True)


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
    assignee = m.text("Only those that this person looks at.", 256)


class Remark(Request):
    """A note for the history; may be empty."""

    note = m.text("For people.", 1000, load_default="")


class Assignment(Request):
    """Who is to look at an incident."""

    assignee = m.text("As in `user:alice`; empty for nobody.", 256, required=True)
