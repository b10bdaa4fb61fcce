# SPDX-License-Identifier: Apache-2.0
"""Differences between desired and observed state, and what is done about each."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from stratoplane_engine.db.tables.columns import identifier, json_object, metadata, text_column, timestamp_column

_POLICIES = "policy IN ('correct', 'adopt', 'alert')"

# What operators have set; what is not here follows the defaults of the platform.
drift_policy = Table(
    "drift_policy",
    metadata,
    text_column("kind", None),
    text_column("field", None),
    # A driver's name; '*' is every driver that has no policy of its own.
    text_column("driver", "*"),
    text_column("policy", None),
    timestamp_column("updated_at", default=True),
    PrimaryKeyConstraint("kind", "field", "driver"),
    CheckConstraint(_POLICIES, name="policy"),
)

drift = Table(
    "drift",
    metadata,
    identifier(),
    Column("organization_id", Uuid, nullable=False),
    Column("project_id", Uuid, nullable=False),
    Column("resource_id", Uuid, nullable=False),
    Column("cluster_id", Uuid, nullable=True),
    text_column("kind", None),
    text_column("field", None),
    Column("desired", JSONB, nullable=True),
    Column("observed", JSONB, nullable=True),
    text_column("policy", None),
    Column("job_id", Uuid, nullable=True),
    # How many jobs were started to correct it.
    Column("corrections", Integer, nullable=False, server_default=text("0")),
    timestamp_column("found_at", default=True),
    # When the difference was gone, or had become what is desired.
    timestamp_column("ended_at", nullable=True),
    CheckConstraint(_POLICIES, name="policy"),
    Index("drift_open_key", "resource_id", "field", unique=True, postgresql_where=text("ended_at IS NULL")),
    Index("drift_page_idx", "id"),
    Index("drift_resource_idx", "resource_id", "id"),
)

# When something that looks only at changes looked last.
watermark = Table(
    "watermark",
    metadata,
    Column("name", Text, primary_key=True),
    timestamp_column("looked_at"),
)

# Objects of a cluster that do not carry the platform's mark: listed and never touched, unless an operator adopts one.
foreign_object = Table(
    "foreign_object",
    metadata,
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=False),
    text_column("kind", None),
    text_column("reference", None),
    text_column("name"),
    json_object("status"),
    timestamp_column("first_seen_at", default=True),
    timestamp_column("seen_at", default=True),
    PrimaryKeyConstraint("cluster_id", "kind", "reference"),
)
