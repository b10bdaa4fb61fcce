# SPDX-License-Identifier: Apache-2.0
"""Every table of the platform.

Tables that hold tenants' data carry ``organization_id`` first in their keys and indexes, and the migration forces
row-level security on them (:data:`TENANT_TABLES`).
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.sql.schema import SchemaItem

from stratoplane.jobs import LIVE, JobState
from stratoplane.resources import ResourceStatus

metadata: Final = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


def _one_of(column: str, values: type[JobState | ResourceStatus]) -> CheckConstraint:
    allowed = ", ".join(f"'{member.value}'" for member in values)
    return CheckConstraint(f"{column} IN ({allowed})", name=column)


def _time(name: str, *, default: bool = False, nullable: bool = False) -> Column[object]:
    return Column(
        name,
        TIMESTAMP(timezone=True),
        nullable=nullable,
        server_default=func.clock_timestamp() if default else None,
    )


def _id() -> Column[object]:
    return Column("id", Uuid, primary_key=True)


def _object(name: str, default: str = "{}") -> Column[object]:
    return Column(name, JSONB, nullable=False, server_default=text(f"'{default}'"))


def _text(name: str, default: str | None = "") -> Column[object]:
    return Column(name, Text, nullable=False, server_default=None if default is None else text(f"'{default}'"))


def _count(name: str, default: int = 0) -> Column[object]:
    return Column(name, BigInteger, nullable=False, server_default=text(str(default)))


def _stamped(*columns: SchemaItem) -> tuple[SchemaItem, ...]:
    return (
        *columns,
        _count("version", 1),
        _time("created_at", default=True),
        _time("updated_at", default=True),
    )


# --- identity -----------------------------------------------------------------------------------------------------

installation = Table("installation", metadata, _id(), _time("created_at", default=True))

organization = Table(
    "organization",
    metadata,
    *_stamped(
        _id(),
        _text("name", None),
        _text("display_name"),
        _object("labels"),
        _time("deleted_at", nullable=True),
    ),
    Index("organization_name_key", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
)

project = Table(
    "project",
    metadata,
    *_stamped(
        _id(),
        Column("organization_id", Uuid, ForeignKey("organization.id"), nullable=False),
        _text("name", None),
        _text("display_name"),
        _object("labels"),
        _time("deleted_at", nullable=True),
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
    *_stamped(
        _id(),
        Column("organization_id", Uuid, ForeignKey("organization.id"), nullable=False),
        _text("username", None),
        _text("display_name"),
        _text("password_hash"),
        Column("enabled", Boolean, nullable=False, server_default=text("true")),
        _time("deleted_at", nullable=True),
    ),
    UniqueConstraint("organization_id", "id"),
    Index("user_account_username_key", "username", unique=True, postgresql_where=text("deleted_at IS NULL")),
)

role = Table(
    "role",
    metadata,
    _id(),
    _text("name", None),
    _text("description"),
    Column("permissions", ARRAY(Text), nullable=False),
    Column("scope", Text, nullable=False),
    _time("created_at", default=True),
    UniqueConstraint("name"),
)

role_binding = Table(
    "role_binding",
    metadata,
    _id(),
    Column("organization_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("role_id", Uuid, ForeignKey("role.id"), nullable=False),
    # Where the role counts: the whole platform, the organization, or one project of it.
    Column("scope", Text, nullable=False),
    Column("project_id", Uuid, nullable=True),
    _time("created_at", default=True),
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
    _id(),
    Column("organization_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    # "session" from a login, "api" made by its owner.
    Column("kind", Text, nullable=False),
    _text("name"),
    _text("secret_hash", None),
    _time("created_at", default=True),
    _time("expires_at", nullable=True),
    _time("revoked_at", nullable=True),
    ForeignKeyConstraint(["organization_id", "user_id"], ["user_account.organization_id", "user_account.id"]),
    UniqueConstraint("secret_hash"),
    Index("api_token_user_id_idx", "user_id"),
)

# --- clusters -----------------------------------------------------------------------------------------------------

cluster = Table(
    "cluster",
    metadata,
    *_stamped(
        _id(),
        _text("name", None),
        _text("description"),
        _text("state", "ENABLED"),
        Column("features", ARRAY(Text), nullable=False, server_default=text("'{}'")),
        _count("vcpus_total"),
        _count("memory_mib_total"),
        _count("storage_gib_total"),
        _count("vcpus_claimed"),
        _count("memory_mib_claimed"),
        _count("storage_gib_claimed"),
        _object("labels"),
        _time("seen_at", nullable=True),
        _time("inventory_at", nullable=True),
        _time("deleted_at", nullable=True),
    ),
    Index("cluster_name_key", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
    CheckConstraint("state IN ('ENABLED', 'DRAINING', 'DISABLED')", name="state"),
)

provider = Table(
    "provider",
    metadata,
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=False),
    _text("interface", None),
    _text("driver", None),
    _text("version"),
    _text("contract"),
    _text("status", None),
    _text("reason"),
    Column("features", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("production_ready", Boolean, nullable=False, server_default=text("true")),
    _time("reported_at", default=True),
    PrimaryKeyConstraint("cluster_id", "interface"),
)

agent = Table(
    "agent",
    metadata,
    _id(),
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=False),
    _text("name", None),
    _text("version"),
    _text("credential_hash", None),
    _time("created_at", default=True),
    _time("seen_at", nullable=True),
    _time("revoked_at", nullable=True),
    UniqueConstraint("credential_hash"),
    Index("agent_cluster_id_idx", "cluster_id"),
)

join_token = Table(
    "join_token",
    metadata,
    _id(),
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=False),
    _text("secret_hash", None),
    _time("created_at", default=True),
    _time("expires_at"),
    _time("used_at", nullable=True),
    UniqueConstraint("secret_hash"),
)

flavor = Table(
    "flavor",
    metadata,
    *_stamped(
        _id(),
        _text("name", None),
        Column("vcpus", Integer, nullable=False),
        Column("memory_mib", Integer, nullable=False),
        Column("disk_gib", Integer, nullable=False),
        _time("deleted_at", nullable=True),
    ),
    Index("flavor_name_key", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
)

image = Table(
    "image",
    metadata,
    *_stamped(
        _id(),
        _text("name", None),
        _text("description"),
        _text("source", None),
        _text("format", "qcow2"),
        _text("sha256"),
        Column("minimum_disk_gib", Integer, nullable=False, server_default=text("1")),
        _time("deleted_at", nullable=True),
    ),
    Index("image_name_key", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
)

# --- what tenants own ---------------------------------------------------------------------------------------------

quota = Table(
    "quota",
    metadata,
    Column("organization_id", Uuid, ForeignKey("organization.id"), nullable=False),
    # The organization's own id, or that of one of its projects.
    Column("scope_id", Uuid, nullable=False),
    _text("key", None),
    Column("limit_amount", BigInteger, nullable=False),
    _count("used"),
    PrimaryKeyConstraint("organization_id", "scope_id", "key"),
    CheckConstraint("used >= 0", name="used_not_negative"),
)

resource = Table(
    "resource",
    metadata,
    *_stamped(
        _id(),
        Column("organization_id", Uuid, nullable=False),
        Column("project_id", Uuid, nullable=False),
        _text("kind", None),
        _text("name", None),
        _text("status", "PENDING"),
        _object("labels"),
        _object("spec"),
        _object("observed"),
        # What it holds of the project's quota, so that giving back is exact.
        _object("holds"),
        _text("provider_reference"),
        Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=True),
        _count("generation", 1),
        _count("observed_generation"),
        _text("detail"),
        _time("deleted_at", nullable=True),
    ),
    UniqueConstraint("organization_id", "id"),
    ForeignKeyConstraint(["organization_id", "project_id"], ["project.organization_id", "project.id"]),
    _one_of("status", ResourceStatus),
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
    _text("role", None),
    Column("position", Integer, nullable=False, server_default=text("0")),
    _object("attributes"),
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
    _object("spec"),
    _object("holds"),
    _time("recorded_at", default=True),
    Index("resource_revision_resource_idx", "organization_id", "resource_id", "sequence"),
)

# --- jobs ---------------------------------------------------------------------------------------------------------

_LIVE_JOB: Final = text("state IN (" + ", ".join(f"'{state}'" for state in sorted(LIVE)) + ")")

job = Table(
    "job",
    metadata,
    _id(),
    Column("organization_id", Uuid, nullable=False),
    Column("project_id", Uuid, nullable=False),
    Column("resource_id", Uuid, nullable=False),
    _text("resource_kind", None),
    _text("resource_name"),
    Column("cluster_id", Uuid, nullable=True),
    # The workflow: "virtual_machine.create".
    _text("kind", None),
    _text("state", "PENDING"),
    _object("input"),
    _object("output"),
    Column("error", JSONB, nullable=True),
    # The step that comes next; counts down while the job undoes.
    Column("position", Integer, nullable=False, server_default=text("0")),
    Column("undoing", Boolean, nullable=False, server_default=text("false")),
    _count("attempts"),
    _count("epoch"),
    _text("lease_owner"),
    _time("lease_until", nullable=True),
    # When a worker should look; NULL while an agent has it, or at the end.
    _time("next_run_at", default=True, nullable=True),
    _time("deadline_at"),
    _text("actor"),
    _text("request_id"),
    _text("trace_parent"),
    _time("created_at", default=True),
    _time("started_at", nullable=True),
    _time("finished_at", nullable=True),
    _one_of("state", JobState),
    ForeignKeyConstraint(["organization_id", "resource_id"], ["resource.organization_id", "resource.id"]),
    Index("job_runnable_idx", "next_run_at", postgresql_where=_LIVE_JOB),
    Index("job_resource_idx", "resource_id", "id", postgresql_where=_LIVE_JOB),
    Index("job_deadline_idx", "deadline_at", postgresql_where=_LIVE_JOB),
    Index("job_page_idx", "organization_id", "project_id", "id"),
)

job_step = Table(
    "job_step",
    metadata,
    Column("organization_id", Uuid, nullable=False),
    Column("job_id", Uuid, ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    _text("name", None),
    _text("state", "PENDING"),
    _count("attempts"),
    _object("output"),
    Column("error", JSONB, nullable=True),
    _time("started_at", nullable=True),
    _time("finished_at", nullable=True),
    PrimaryKeyConstraint("job_id", "position"),
)

operation = Table(
    "operation",
    metadata,
    _id(),
    Column("organization_id", Uuid, nullable=False),
    Column("job_id", Uuid, ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=False),
    Column("resource_id", Uuid, nullable=False),
    _text("kind", None),
    _text("verb", None),
    _object("spec"),
    # QUEUED, OFFERED, RUNNING, DONE, ABANDONED
    _text("state", "QUEUED"),
    _count("epoch"),
    Column("observe_first", Boolean, nullable=False, server_default=text("false")),
    Column("agent_id", Uuid, nullable=True),
    Column("timeout_seconds", Double, nullable=False),
    _text("trace_parent"),
    Column("result", JSONB, nullable=True),
    _time("created_at", default=True),
    _time("offered_until", nullable=True),
    _time("acknowledged_at", nullable=True),
    _time("deadline_at"),
    _time("finished_at", nullable=True),
    CheckConstraint("state IN ('QUEUED', 'OFFERED', 'RUNNING', 'DONE', 'ABANDONED')", name="state"),
    Index("operation_offer_idx", "cluster_id", "id", postgresql_where=text("state IN ('QUEUED', 'OFFERED')")),
    Index(
        "operation_open_idx",
        "deadline_at",
        postgresql_where=text("state IN ('QUEUED', 'OFFERED', 'RUNNING')"),
    ),
    Index("operation_job_idx", "job_id", "position"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _text("topic", None),
    _object("payload"),
    _time("created_at", default=True),
    _time("sent_at", nullable=True),
    Index("outbox_unsent_idx", "id", postgresql_where=text("sent_at IS NULL")),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("organization_id", Uuid, nullable=False),
    Column("actor_id", Uuid, nullable=False),
    _text("key", None),
    _text("fingerprint", None),
    Column("status", Integer, nullable=True),
    Column("answer", JSONB, nullable=True),
    _time("created_at", default=True),
    _time("expires_at"),
    PrimaryKeyConstraint("organization_id", "actor_id", "key"),
    Index("idempotency_expires_at_idx", "expires_at"),
)

# --- what happened ------------------------------------------------------------------------------------------------

audit_event = Table(
    "audit_event",
    metadata,
    _id(),
    Column("organization_id", Uuid, nullable=True),
    Column("project_id", Uuid, nullable=True),
    _text("action", None),
    _text("outcome", None),
    _text("actor", None),
    Column("subject_id", Uuid, nullable=True),
    _text("subject_name"),
    _text("request_id"),
    _text("trace_id"),
    _object("detail"),
    _time("occurred_at", default=True),
    Index("audit_event_organization_idx", "organization_id", "id"),
    Index("audit_event_page_idx", "organization_id", "project_id", "id"),
    Index("audit_event_subject_idx", "organization_id", "subject_id", "id"),
)

inventory = Table(
    "inventory",
    metadata,
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=False),
    Column("uid", Uuid, nullable=False),
    _text("kind", None),
    _object("status"),
    _time("first_seen_at", default=True),
    _time("seen_at", default=True),
    PrimaryKeyConstraint("cluster_id", "uid"),
)

TENANT_TABLES: Final = (
    project,
    user_account,
    role_binding,
    api_token,
    quota,
    resource,
    resource_link,
    resource_revision,
    job,
    job_step,
    operation,
    idempotency,
    audit_event,
)
"""Tables under forced row-level security: a tenant's transaction sees the rows of its own organization only."""
