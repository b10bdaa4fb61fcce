# SPDX-License-Identifier: Apache-2.0
"""Incidents, their history and their notifications on the wire."""

from stratoplane_engine.model.incident import Delivery, Incident, IncidentEvent, IncidentHistory


def incident(value: Incident) -> dict[str, object]:
    """Return the wire form of an incident."""
    return {
        "id": value.id,
        "kind": value.kind,
        "severity": value.severity,
        "status": value.status,
        "title": value.title,
        "detail": value.detail,
        "occurrences": value.occurrences,
        "assignee": value.assignee,
        "escalation": value.escalation,
        "cluster": value.cluster,
        "organization_id": value.organization_id,
        "cluster_id": value.cluster_id,
        "resource_id": value.resource_id,
        "opened_at": value.opened_at,
        "seen_at": value.seen_at,
        "acknowledged_at": value.acknowledged_at,
        "resolved_at": value.resolved_at,
        "escalates_at": value.escalates_at,
    }


def incident_history(value: IncidentHistory) -> dict[str, object]:
    """Return the wire form of an incident with what has happened with it and who was notified."""
    return {
        **incident(value.incident),
        "events": [incident_event(event) for event in value.events],
        "deliveries": [delivery(each) for each in value.deliveries],
    }


def incident_event(event: IncidentEvent) -> dict[str, object]:
    """Return the wire form of something that happened with an incident."""
    return {
        "action": event.action,
        "actor": event.actor,
        "note": event.note,
        "detail": event.detail,
        "occurred_at": event.occurred_at,
    }


def delivery(value: Delivery) -> dict[str, object]:
    """Return the wire form of a notification to one plugin."""
    return {
        "id": value.id,
        "event": value.event,
        "plugin": value.plugin,
        "state": value.state,
        "attempts": value.attempts,
        "error": value.error,
        "created_at": value.created_at,
        "next_attempt_at": value.next_attempt_at,
        "finished_at": value.finished_at,
    }
