# SPDX-License-Identifier: Apache-2.0
"""The audit trail on the wire."""

from stratoplane_engine.model.audit import AuditCheckpoint, AuditEvent


def audit_event(event: AuditEvent) -> dict[str, object]:
    """Return the wire form of an event."""
    return {
        "id": event.id,
        "organization_id": event.organization_id,
        "project_id": event.project_id,
        "subject_id": event.subject_id,
        "action": event.action,
        "outcome": event.outcome,
        "actor": event.actor,
        "subject_name": event.subject_name,
        "request_id": event.request_id,
        "trace_id": event.trace_id,
        "detail": event.detail,
        "occurred_at": event.occurred_at,
    }


def audit_checkpoint(checkpoint: AuditCheckpoint) -> dict[str, object]:
    """Return the wire form of a signed checkpoint; its root is hexadecimal."""
    return {
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "sealed_at": checkpoint.sealed_at,
        "note": checkpoint.note,
    }
