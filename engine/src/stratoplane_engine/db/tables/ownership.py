# SPDX-License-Identifier: Apache-2.0
"""What tenants own, how it hangs together, and the quotas it counts against."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from stratoplane.resources import ResourceStatus
from stratoplane_engine.db.tables.columns import (
    count,
    identifier,
    json_object,
    metadata,
    one_of,
    stamped,
    text_column,
    timestamp_column,
)

quota = Table(
    "quota",
    metadata,
    Column("organization_id", Uuid, ForeignKey("organization.id"), nullable=False),
    # The organization's own id, or that of one of its projects.
    Column("scope_id", Uuid, nullable=False),
    text_column("key", None),
    Column("limit_amount", BigInteger, nullable=False),
    count("used"),
    PrimaryKeyConstraint("organization_id", "scope_id", "key"),
    CheckConstraint("used >= 0", name="used_not_negative"),
)

resource = Table(
    "resource",
    metadata,
    *stamped(
        identifier(),
        Column("organization_id", Uuid, nullable=False),
        Column("project_id", Uuid, nullable=False),
        text_column("kind", None),
        text_column("name", None),
        text_column("status", "PENDING"),
        json_object("labels"),
        json_object("spec"),
        json_object("observed"),
        # What it holds of the project's quota, so that giving back is exact.
        json_object("quota_usage"),
        text_column("provider_reference"),
        Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=True),
        count("generation", 1),
        count("observed_generation"),
        text_column("detail"),
        timestamp_column("deleted_at", nullable=True),
    ),
    UniqueConstraint("organization_id", "id"),
    ForeignKeyConstraint(["organization_id", "project_id"], ["project.organization_id", "project.id"]),
    one_of("status", ResourceStatus),
    Index(
        "resource_name_key",
        "organization_id",
        "project_id",
        "kind",
        "name",
        unique=True,
        postgresql_where=text("deleted_at IS NULL"),
    ),
    Index(
        "resource_page_idx",
        "organization_id",
        "project_id",
        "kind",
        "id",
        postgresql_where=text("deleted_at IS NULL"),
    ),
    Index("resource_cluster_id_idx", "cluster_id", "kind", postgresql_where=text("deleted_at IS NULL")),
)

resource_link = Table(
    "resource_link",
    metadata,
    Column("organization_id", Uuid, nullable=False),
    Column("source_id", Uuid, nullable=False),
    Column("target_id", Uuid, nullable=False),
    # What the source uses the target as: "interface", "volume", "boot_volume", "key_pair".
    text_column("role", None),
    Column("position", Integer, nullable=False, server_default=text("0")),
    json_object("attributes"),
    PrimaryKeyConstraint("organization_id", "source_id", "role", "target_id"),
    ForeignKeyConstraint(["organization_id", "source_id"], ["resource.organization_id", "resource.id"]),
    ForeignKeyConstraint(["organization_id", "target_id"], ["resource.organization_id", "resource.id"]),
    Index("resource_link_target_idx", "organization_id", "target_id"),
    # A volume has one user at a time.
    Index(
        "resource_link_volume_key",
        "organization_id",
        "target_id",
        unique=True,
        postgresql_where=text("role IN ('volume', 'boot_volume')"),
    ),
)

resource_revision = Table(
    "resource_revision",
    metadata,
    Column("sequence", BigInteger, Identity(always=True), primary_key=True),
    Column("organization_id", Uuid, nullable=False),
    Column("project_id", Uuid, nullable=False),
    Column("resource_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    json_object("spec"),
    json_object("quota_usage"),
    timestamp_column("recorded_at", default=True),
    Index("resource_revision_resource_idx", "organization_id", "resource_id", "sequence"),
)
