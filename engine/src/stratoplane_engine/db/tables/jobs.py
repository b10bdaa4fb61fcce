# SPDX-License-Identifier: Apache-2.0
"""Jobs, their steps and operations, and what is to be told."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from stratoplane.jobs import JobState
from stratoplane_engine.db.job_states import LIVE_STATES
from stratoplane_engine.db.tables.columns import (
    count,
    identifier,
    json_object,
    metadata,
    one_of,
    text_column,
    timestamp_column,
)
from stratoplane_engine.model.job import OperationState

_LIVE_JOB: Final = text(f"state IN {LIVE_STATES}")

job = Table(
    "job",
    metadata,
    identifier(),
    Column("organization_id", Uuid, nullable=False),
    Column("project_id", Uuid, nullable=False),
    Column("resource_id", Uuid, nullable=False),
    text_column("resource_kind", None),
    text_column("resource_name"),
    Column("cluster_id", Uuid, nullable=True),
    # The workflow: "virtual_machine.create".
    text_column("kind", None),
    text_column("state", "PENDING"),
    json_object("input"),
    json_object("output"),
    Column("error", JSONB, nullable=True),
    # The step that comes next; counts down while the job undoes.
    Column("position", Integer, nullable=False, server_default=text("0")),
    Column("undoing", Boolean, nullable=False, server_default=text("false")),
    count("attempts"),
    count("epoch"),
    text_column("lease_owner"),
    timestamp_column("lease_until", nullable=True),
    # How many claims in a row ended without an answer: their workers died, or could not make sense of the job.
    count("crashes"),
    # When a worker should look; NULL while an agent has it, or at the end.
    timestamp_column("next_run_at", default=True, nullable=True),
    timestamp_column("deadline_at"),
    # Higher ones go first within an organization: what people wait for before what the platform does by itself.
    Column("priority", SmallInteger, nullable=False, server_default=text("0")),
    # Somebody wants it stopped: looked at between two steps.
    timestamp_column("cancel_requested_at", nullable=True),
    text_column("cancelled_by"),
    text_column("actor"),
    text_column("request_id"),
    text_column("trace_parent"),
    timestamp_column("created_at", default=True),
    timestamp_column("started_at", nullable=True),
    timestamp_column("finished_at", nullable=True),
    one_of("state", JobState),
    ForeignKeyConstraint(["organization_id", "resource_id"], ["resource.organization_id", "resource.id"]),
    Index("job_runnable_idx", "next_run_at", postgresql_where=_LIVE_JOB),
    Index(
        "job_turn_idx",
        "organization_id",
        text("priority DESC"),
        "next_run_at",
        postgresql_where=text(f"{_LIVE_JOB.text} AND next_run_at IS NOT NULL AND lease_until IS NULL"),
    ),
    Index("job_lease_idx", "lease_until", postgresql_where=_LIVE_JOB),
    Index("job_resource_idx", "resource_id", "id", postgresql_where=_LIVE_JOB),
    Index("job_deadline_idx", "deadline_at", postgresql_where=_LIVE_JOB),
    Index("job_page_idx", "organization_id", "project_id", "id"),
)

# What a job that ended could not take back. The reconciler closes it when the object is gone from the inventory.
leak = Table(
    "leak",
    metadata,
    identifier(),
    Column("organization_id", Uuid, nullable=False),
    Column("project_id", Uuid, nullable=False),
    Column("cluster_id", Uuid, nullable=True),
    Column("resource_id", Uuid, nullable=False),
    text_column("kind", None),
    text_column("name"),
    Column("job_id", Uuid, nullable=False),
    text_column("step", None),
    text_column("detail"),
    timestamp_column("found_at", default=True),
    timestamp_column("resolved_at", nullable=True),
    text_column("resolved_by"),
    text_column("note"),
    Index("leak_open_idx", "resource_id", postgresql_where=text("resolved_at IS NULL")),
)

# How one cluster has answered lately: retries are paid from a budget, and when it is spent nothing but a probe is sent.
circuit = Table(
    "circuit",
    metadata,
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), primary_key=True),
    # Each answer of the provider adds a little, each transient failure costs one.
    Column("budget", Double, nullable=False),
    count("trips"),
    timestamp_column("open_until", nullable=True),
    timestamp_column("changed_at", default=True),
)

job_step = Table(
    "job_step",
    metadata,
    Column("organization_id", Uuid, nullable=False),
    Column("job_id", Uuid, ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    text_column("name", None),
    text_column("state", "PENDING"),
    count("attempts"),
    json_object("output"),
    Column("error", JSONB, nullable=True),
    timestamp_column("started_at", nullable=True),
    timestamp_column("finished_at", nullable=True),
    PrimaryKeyConstraint("job_id", "position"),
)

operation = Table(
    "operation",
    metadata,
    identifier(),
    Column("organization_id", Uuid, nullable=False),
    Column("job_id", Uuid, ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=False),
    Column("resource_id", Uuid, nullable=False),
    text_column("kind", None),
    text_column("verb", None),
    json_object("spec"),
    text_column("state", OperationState.QUEUED),
    count("epoch"),
    Column("observe_first", Boolean, nullable=False, server_default=text("false")),
    Column("agent_id", Uuid, nullable=True),
    Column("timeout_seconds", Double, nullable=False),
    text_column("trace_parent"),
    Column("priority", SmallInteger, nullable=False, server_default=text("0")),
    Column("result", JSONB, nullable=True),
    timestamp_column("created_at", default=True),
    timestamp_column("offered_until", nullable=True),
    timestamp_column("acknowledged_at", nullable=True),
    timestamp_column("deadline_at"),
    timestamp_column("finished_at", nullable=True),
    one_of("state", OperationState),
    Index(
        "operation_offer_idx",
        "cluster_id",
        "organization_id",
        text("priority DESC"),
        "id",
        postgresql_where=text("state IN ('QUEUED', 'OFFERED')"),
    ),
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
    text_column("topic", None),
    json_object("payload"),
    timestamp_column("created_at", default=True),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("organization_id", Uuid, nullable=False),
    Column("actor_id", Uuid, nullable=False),
    text_column("key", None),
    text_column("fingerprint", None),
    Column("answer", JSONB, nullable=True),
    timestamp_column("created_at", default=True),
    timestamp_column("expires_at"),
    PrimaryKeyConstraint("organization_id", "actor_id", "key"),
    Index("idempotency_expires_at_idx", "expires_at"),
)
