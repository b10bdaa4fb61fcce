# SPDX-License-Identifier: Apache-2.0
"""What happened, and what was last seen at the clusters."""

from sqlalchemy import Column, ForeignKey, Index, PrimaryKeyConstraint, Table, Uuid

from stratoplane_engine.db.tables.columns import count, identifier, json_object, metadata, moment, words

audit_event = Table(
    "audit_event",
    metadata,
    identifier(),
    Column("organization_id", Uuid, nullable=True),
    Column("project_id", Uuid, nullable=True),
    words("action", None),
    words("outcome", None),
    words("actor", None),
    Column("subject_id", Uuid, nullable=True),
    words("subject_name"),
    words("request_id"),
    words("trace_id"),
    json_object("detail"),
    moment("occurred_at", default=True),
    Index("audit_event_organization_idx", "organization_id", "id"),
    Index("audit_event_page_idx", "organization_id", "project_id", "id"),
    Index("audit_event_subject_idx", "organization_id", "subject_id", "id"),
)

inventory = Table(
    "inventory",
    metadata,
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=False),
    Column("uid", Uuid, nullable=False),
    words("kind", None),
    json_object("status"),
    moment("first_seen_at", default=True),
    moment("seen_at", default=True),
    moment("changed_at", default=True),
    PrimaryKeyConstraint("cluster_id", "uid"),
    Index("inventory_changed_at_idx", "changed_at"),
)

# When an agent last began to list the objects of a kind, and did list them all.
inventory_report = Table(
    "inventory_report",
    metadata,
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=False),
    words("kind", None),
    moment("taken_at"),
    Column("snapshot_id", Uuid, nullable=True),
    count("sequence"),
    PrimaryKeyConstraint("cluster_id", "kind"),
)
