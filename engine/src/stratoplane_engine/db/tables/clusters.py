# SPDX-License-Identifier: Apache-2.0
"""Clusters with what serves them, and what operators offer on them."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from stratoplane_engine.db.tables.columns import count, identifier, json_object, metadata, moment, stamped, words

cluster = Table(
    "cluster",
    metadata,
    *stamped(
        identifier(),
        words("name", None),
        words("description"),
        words("state", "ENABLED"),
        Column("features", ARRAY(Text), nullable=False, server_default=text("'{}'")),
        count("vcpus_total"),
        count("memory_mib_total"),
        count("storage_gib_total"),
        count("vcpus_claimed"),
        count("memory_mib_claimed"),
        count("storage_gib_claimed"),
        json_object("labels"),
        moment("seen_at", nullable=True),
        moment("deleted_at", nullable=True),
    ),
    Index("cluster_name_key", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
    CheckConstraint("state IN ('ENABLED', 'DRAINING', 'DISABLED')", name="state"),
)

provider = Table(
    "provider",
    metadata,
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=False),
    words("interface", None),
    words("driver", None),
    words("version"),
    words("contract"),
    words("status", None),
    words("reason"),
    Column("features", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("production_ready", Boolean, nullable=False, server_default=text("true")),
    moment("reported_at", default=True),
    PrimaryKeyConstraint("cluster_id", "interface"),
)

agent = Table(
    "agent",
    metadata,
    identifier(),
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=False),
    words("name", None),
    words("version"),
    words("credential_hash", None),
    moment("created_at", default=True),
    moment("seen_at", nullable=True),
    moment("revoked_at", nullable=True),
    UniqueConstraint("credential_hash"),
    Index("agent_cluster_id_idx", "cluster_id"),
)

join_token = Table(
    "join_token",
    metadata,
    identifier(),
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=False),
    words("secret_hash", None),
    moment("created_at", default=True),
    moment("expires_at"),
    moment("used_at", nullable=True),
    UniqueConstraint("secret_hash"),
)

flavor = Table(
    "flavor",
    metadata,
    *stamped(
        identifier(),
        words("name", None),
        Column("vcpus", Integer, nullable=False),
        Column("memory_mib", Integer, nullable=False),
        Column("disk_gib", Integer, nullable=False),
        moment("deleted_at", nullable=True),
    ),
    Index("flavor_name_key", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
)

image = Table(
    "image",
    metadata,
    *stamped(
        identifier(),
        words("name", None),
        words("description"),
        words("source", None),
        words("format", "qcow2"),
        words("sha256"),
        Column("minimum_disk_gib", Integer, nullable=False, server_default=text("1")),
        moment("deleted_at", nullable=True),
    ),
    Index("image_name_key", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
)
