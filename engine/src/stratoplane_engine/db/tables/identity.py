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

from stratoplane_engine.db.tables.columns import identifier, json_object, metadata, moment, stamped, words

installation = Table("installation", metadata, identifier(), moment("created_at", default=True))

organization = Table(
    "organization",
    metadata,
    *stamped(
        identifier(),
        words("name", None),
        words("display_name"),
        json_object("labels"),
        moment("deleted_at", nullable=True),
    ),
    Index("organization_name_key", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
)

project = Table(
    "project",
    metadata,
    *stamped(
        identifier(),
        Column("organization_id", Uuid, ForeignKey("organization.id"), nullable=False),
        words("name", None),
        words("display_name"),
        json_object("labels"),
        moment("deleted_at", nullable=True),
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
        words("username", None),
        words("display_name"),
        words("password_hash"),
        Column("enabled", Boolean, nullable=False, server_default=text("true")),
        moment("deleted_at", nullable=True),
    ),
    UniqueConstraint("organization_id", "id"),
    Index("user_account_username_key", "username", unique=True, postgresql_where=text("deleted_at IS NULL")),
)

role = Table(
    "role",
    metadata,
    identifier(),
    words("name", None),
    words("description"),
    Column("permissions", ARRAY(Text), nullable=False),
    Column("scope", Text, nullable=False),
    moment("created_at", default=True),
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
    moment("created_at", default=True),
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
    words("name"),
    words("secret_hash", None),
    moment("created_at", default=True),
    moment("expires_at", nullable=True),
    moment("revoked_at", nullable=True),
    ForeignKeyConstraint(["organization_id", "user_id"], ["user_account.organization_id", "user_account.id"]),
    UniqueConstraint("secret_hash"),
    Index("api_token_user_id_idx", "user_id"),
)
