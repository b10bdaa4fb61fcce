# SPDX-License-Identifier: Apache-2.0
"""Organizations, projects, users, roles and tokens."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from stratoplane_engine.db.tables.columns import (
    identifier,
    json_object,
    metadata,
    stamped,
    text_column,
    timestamp_column,
)

installation = Table("installation", metadata, identifier(), timestamp_column("created_at", default=True))

organization = Table(
    "organization",
    metadata,
    *stamped(
        identifier(),
        text_column("name", None),
        text_column("display_name"),
        json_object("labels"),
        timestamp_column("deleted_at", nullable=True),
    ),
    Index("organization_name_key", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
)

project = Table(
    "project",
    metadata,
    *stamped(
        identifier(),
        Column("organization_id", Uuid, ForeignKey("organization.id"), nullable=False),
        text_column("name", None),
        text_column("display_name"),
        json_object("labels"),
        timestamp_column("deleted_at", nullable=True),
    ),
    UniqueConstraint("organization_id", "id"),
    Index(
        "project_name_key",
        "organization_id",
        "name",
        unique=True,
        postgresql_where=text("deleted_at IS NULL"),
    ),
)

user_account = Table(
    "user_account",
    metadata,
    *stamped(
        identifier(),
        Column("organization_id", Uuid, ForeignKey("organization.id"), nullable=False),
        text_column("username", None),
        text_column("display_name"),
        text_column("password_hash"),
        Column("enabled", Boolean, nullable=False, server_default=text("true")),
        timestamp_column("deleted_at", nullable=True),
    ),
    UniqueConstraint("organization_id", "id"),
    Index("user_account_username_key", "username", unique=True, postgresql_where=text("deleted_at IS NULL")),
)

role = Table(
    "role",
    metadata,
    identifier(),
    text_column("name", None),
    text_column("description"),
    Column("permissions", ARRAY(Text), nullable=False),
    Column("scope", Text, nullable=False),
    timestamp_column("created_at", default=True),
    UniqueConstraint("name"),
)

role_binding = Table(
    "role_binding",
    metadata,
    identifier(),
    Column("organization_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("role_id", Uuid, ForeignKey("role.id"), nullable=False),
    # Where the role counts: the whole platform, the organization, or one project of it.
    Column("scope", Text, nullable=False),
    Column("project_id", Uuid, nullable=True),
    timestamp_column("created_at", default=True),
    ForeignKeyConstraint(["organization_id", "user_id"], ["user_account.organization_id", "user_account.id"]),
    ForeignKeyConstraint(["organization_id", "project_id"], ["project.organization_id", "project.id"]),
    Index("role_binding_user_id_idx", "user_id"),
    Index("role_binding_page_idx", "organization_id", "id"),
    Index(
        "role_binding_once_key",
        "user_id",
        "role_id",
        "scope",
        text("coalesce(project_id, '00000000-0000-0000-0000-000000000000')"),
        unique=True,
    ),
)

api_token = Table(
    "api_token",
    metadata,
    identifier(),
    Column("organization_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    # "session" from a login, "api" made by its owner.
    Column("kind", Text, nullable=False),
    text_column("name"),
    text_column("secret_hash", None),
    timestamp_column("created_at", default=True),
    timestamp_column("expires_at", nullable=True),
    timestamp_column("revoked_at", nullable=True),
    ForeignKeyConstraint(["organization_id", "user_id"], ["user_account.organization_id", "user_account.id"]),
    UniqueConstraint("secret_hash"),
    Index("api_token_user_id_idx", "user_id"),
)
