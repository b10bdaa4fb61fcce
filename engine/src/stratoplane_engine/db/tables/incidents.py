# SPDX-License-Identifier: Apache-2.0
"""What somebody must look at, what was done about it, and who was notified."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table, UniqueConstraint, Uuid, text

from stratoplane_engine.db.tables.columns import count, identifier, json_object, metadata, moment, words

incident = Table(
    "incident",
    metadata,
    identifier(),
    words("kind", None),
    words("severity", None),
    words("status", "OPEN"),
    # Findings with one key are one incident.
    words("key", None),
    words("title", None),
    json_object("detail"),
    Column("organization_id", Uuid, nullable=True),
    Column("cluster_id", Uuid, nullable=True),
    Column("resource_id", Uuid, nullable=True),
    count("occurrences", 1),
    words("assignee"),
    Column("escalation", Integer, nullable=False, server_default=text("0")),
    moment("escalates_at", nullable=True),
    moment("opened_at", default=True),
    moment("seen_at", default=True),
    moment("acknowledged_at", nullable=True),
    moment("resolved_at", nullable=True),
    CheckConstraint("status IN ('OPEN', 'ACKNOWLEDGED', 'RESOLVED')", name="status"),
    CheckConstraint("severity IN ('INFO', 'WARNING', 'CRITICAL')", name="severity"),
    Index("incident_key_key", "key", unique=True, postgresql_where=text("status <> 'RESOLVED'")),
    Index("incident_escalation_idx", "escalates_at", postgresql_where=text("status = 'OPEN'")),
    Index("incident_last_idx", "key", "resolved_at"),
)

incident_event = Table(
    "incident_event",
    metadata,
    identifier(),
    Column("incident_id", Uuid, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    words("action", None),
    words("actor", None),
    words("note"),
    json_object("detail"),
    moment("occurred_at", default=True),
    # When deliveries were made of it.
    moment("told_at", nullable=True),
    Index("incident_event_incident_id_idx", "incident_id", "id"),
    Index("incident_event_untold_idx", "occurred_at", postgresql_where=text("told_at IS NULL")),
)

# One notification to one plugin, tried until it is delivered or given up; operators may send it again.
delivery = Table(
    "delivery",
    metadata,
    identifier(),
    Column("incident_id", Uuid, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    Column("event_id", Uuid, nullable=False),
    words("plugin", None),
    json_object("notification"),
    words("state", "PENDING"),
    count("attempts"),
    words("error"),
    moment("created_at", default=True),
    moment("next_attempt_at", default=True, nullable=True),
    moment("finished_at", nullable=True),
    CheckConstraint("state IN ('PENDING', 'DELIVERED', 'FAILED')", name="state"),
    UniqueConstraint("event_id", "plugin"),
    Index("delivery_due_idx", "next_attempt_at", postgresql_where=text("state = 'PENDING'")),
    Index("delivery_incident_id_idx", "incident_id", "id"),
)
