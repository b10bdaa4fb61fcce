# SPDX-License-Identifier: Apache-2.0
"""What somebody must look at, what was done about it, and who was notified."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table, UniqueConstraint, Uuid, text

from stratoplane_engine.db.tables.columns import count, identifier, json_object, metadata, text_column, timestamp_column

incident = Table(
    "incident",
    metadata,
    identifier(),
    text_column("kind", None),
    text_column("severity", None),
    text_column("status", "OPEN"),
    # Findings with one key are one incident.
    text_column("key", None),
    text_column("title", None),
    json_object("detail"),
    Column("organization_id", Uuid, nullable=True),
    Column("cluster_id", Uuid, nullable=True),
    Column("resource_id", Uuid, nullable=True),
    count("occurrences", 1),
    text_column("assignee"),
    Column("escalation", Integer, nullable=False, server_default=text("0")),
    timestamp_column("escalates_at", nullable=True),
    timestamp_column("opened_at", default=True),
    timestamp_column("seen_at", default=True),
    timestamp_column("acknowledged_at", nullable=True),
    timestamp_column("resolved_at", nullable=True),
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
    text_column("action", None),
    text_column("actor", None),
    text_column("note"),
    json_object("detail"),
    timestamp_column("occurred_at", default=True),
    # When deliveries were made of it.
    timestamp_column("told_at", nullable=True),
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
    text_column("plugin", None),
    json_object("notification"),
    text_column("state", "PENDING"),
    count("attempts"),
    text_column("error"),
    timestamp_column("created_at", default=True),
    timestamp_column("next_attempt_at", default=True, nullable=True),
    timestamp_column("finished_at", nullable=True),
    CheckConstraint("state IN ('PENDING', 'DELIVERED', 'FAILED')", name="state"),
    UniqueConstraint("event_id", "plugin"),
    Index("delivery_due_idx", "next_attempt_at", postgresql_where=text("state = 'PENDING'")),
    Index("delivery_incident_id_idx", "incident_id", "id"),
)
