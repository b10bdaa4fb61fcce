# SPDX-License-Identifier: Apache-2.0
"""Clusters with what serves them, and what operators offer on them."""

from sqlalchemy import (
    BigInteger,
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
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from stratoplane_engine.db.tables.columns import (
    count,
    identifier,
    json_object,
    metadata,
    stamped,
    text_column,
    timestamp_column,
)

cluster = Table(
    "cluster",
    metadata,
    *stamped(
        identifier(),
        text_column("name", None),
        text_column("description"),
        text_column("state", "ENABLED"),
        Column("features", ARRAY(Text), nullable=False, server_default=text("'{}'")),
        count("vcpus_total"),
        count("memory_mib_total"),
        count("storage_gib_total"),
        count("vcpus_claimed"),
        count("memory_mib_claimed"),
        count("storage_gib_claimed"),
        json_object("labels"),
        timestamp_column("seen_at", nullable=True),
        timestamp_column("deleted_at", nullable=True),
    ),
    Index("cluster_name_key", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
    CheckConstraint("state IN ('ENABLED', 'DRAINING', 'DISABLED')", name="state"),
)

provider = Table(
    "provider",
    metadata,
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=False),
    text_column("interface", None),
    text_column("driver", None),
    text_column("version"),
    text_column("contract"),
    text_column("status", None),
    text_column("reason"),
    Column("features", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("production_ready", Boolean, nullable=False, server_default=text("true")),
    timestamp_column("reported_at", default=True),
    json_object("listings", "[]"),
    Column("images", JSONB, nullable=True),
    PrimaryKeyConstraint("cluster_id", "interface"),
)

agent = Table(
    "agent",
    metadata,
    identifier(),
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=False),
    text_column("name", None),
    text_column("version"),
    timestamp_column("created_at", default=True),
    timestamp_column("seen_at", nullable=True),
    timestamp_column("revoked_at", nullable=True),
    count("generation", 1),
    count("protocol"),
    timestamp_column("locked_at", nullable=True),
    # The process that signed last, since when, and those before it: one that comes back runs beside its successor.
    text_column("process"),
    timestamp_column("process_since", nullable=True),
    Column("past_processes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Index("agent_cluster_id_idx", "cluster_id"),
    Index(
        "agent_one_key",
        "cluster_id",
        unique=True,
        postgresql_where=text("revoked_at IS NULL AND locked_at IS NULL"),
    ),
)

# Every key that an agent has signed with: one that comes back after its successor was used has been copied.
agent_key = Table(
    "agent_key",
    metadata,
    Column("agent_id", Uuid, ForeignKey("agent.id", ondelete="CASCADE"), nullable=False),
    Column("generation", BigInteger, nullable=False),
    text_column("public_key", None),
    timestamp_column("created_at", default=True),
    timestamp_column("used_at", nullable=True),
    PrimaryKeyConstraint("agent_id", "generation"),
    Index("agent_key_created_at_idx", "created_at"),
)

# Nonces of signed requests, for as long as their time is within the window.
agent_nonce = Table(
    "agent_nonce",
    metadata,
    Column("agent_id", Uuid, nullable=False),
    text_column("nonce", None),
    timestamp_column("expires_at"),
    PrimaryKeyConstraint("agent_id", "nonce"),
    Index("agent_nonce_expires_at_idx", "expires_at"),
    prefixes=["UNLOGGED"],
)

# Proves the control plane to agents; apart from the installation's row, which tenants may read.
installation_key = Table(
    "installation_key",
    metadata,
    Column("installation_id", Uuid, ForeignKey("installation.id"), primary_key=True),
    text_column("private_key", None),
    timestamp_column("created_at", default=True),
)

join_token = Table(
    "join_token",
    metadata,
    identifier(),
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=False),
    text_column("secret_hash", None),
    timestamp_column("created_at", default=True),
    timestamp_column("expires_at"),
    timestamp_column("used_at", nullable=True),
    # Whether the agent that joins by it takes the place of the one that the cluster has.
    Column("replaces", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("secret_hash"),
)

flavor = Table(
    "flavor",
    metadata,
    *stamped(
        identifier(),
        text_column("name", None),
        Column("vcpus", Integer, nullable=False),
        Column("memory_mib", Integer, nullable=False),
        Column("disk_gib", Integer, nullable=False),
        timestamp_column("deleted_at", nullable=True),
    ),
    Index("flavor_name_key", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
)

image = Table(
    "image",
    metadata,
    *stamped(
        identifier(),
        text_column("name", None),
        text_column("description"),
        text_column("source", None),
        text_column("format", "qcow2"),
        text_column("sha256"),
        Column("minimum_disk_gib", Integer, nullable=False, server_default=text("1")),
        timestamp_column("deleted_at", nullable=True),
    ),
    Index("image_name_key", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
)
