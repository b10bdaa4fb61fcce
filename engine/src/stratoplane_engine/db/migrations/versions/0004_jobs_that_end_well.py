# SPDX-License-Identifier: Apache-2.0
"""Priorities, cancelling, leaks and circuits."""

from typing import Final

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES: Final = (
    "leak",
    "circuit",
)
WALLED: Final = ("leak",)
OWN: Final = "organization_id = (SELECT nullif(current_setting('stratoplane.organization', true), '')::uuid)"
JOB: Final = """
ALTER TABLE job ADD COLUMN priority smallint DEFAULT 0 NOT NULL,
    ADD COLUMN cancel_requested_at timestamp with time zone,
    ADD COLUMN cancelled_by text DEFAULT '' NOT NULL;
ALTER TABLE operation ADD COLUMN priority smallint DEFAULT 0 NOT NULL;
CREATE INDEX job_turn_idx ON job (organization_id, priority DESC, next_run_at)
    WHERE state IN ('PENDING', 'RETRYING', 'RUNNING') AND next_run_at IS NOT NULL AND lease_until IS NULL;
CREATE INDEX job_lease_idx ON job (lease_until) WHERE state IN ('PENDING', 'RETRYING', 'RUNNING');
DROP INDEX operation_offer_idx;
CREATE INDEX operation_offer_idx ON operation (cluster_id, organization_id, priority DESC, id)
    WHERE state IN ('QUEUED', 'OFFERED')
"""
JOB_AS_BEFORE: Final = """
DROP INDEX job_turn_idx;
DROP INDEX job_lease_idx;
DROP INDEX operation_offer_idx;
CREATE INDEX operation_offer_idx ON operation (cluster_id, id) WHERE state IN ('QUEUED', 'OFFERED');
ALTER TABLE operation DROP COLUMN priority;
ALTER TABLE job DROP COLUMN priority, DROP COLUMN cancel_requested_at, DROP COLUMN cancelled_by
"""
SCHEMA: Final = """
CREATE TABLE leak (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    project_id UUID NOT NULL,
    cluster_id UUID,
    resource_id UUID NOT NULL,
    kind TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    job_id UUID NOT NULL,
    step TEXT NOT NULL,
    detail TEXT DEFAULT '' NOT NULL,
    found_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    resolved_at TIMESTAMP WITH TIME ZONE,
    resolved_by TEXT DEFAULT '' NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    CONSTRAINT leak_pkey PRIMARY KEY (id)
);
CREATE INDEX leak_open_idx ON leak (resource_id) WHERE resolved_at IS NULL;
CREATE TABLE circuit (
    cluster_id UUID NOT NULL,
    budget DOUBLE PRECISION NOT NULL,
    trips BIGINT DEFAULT 0 NOT NULL,
    open_until TIMESTAMP WITH TIME ZONE,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT circuit_pkey PRIMARY KEY (cluster_id),
    CONSTRAINT circuit_cluster_id_fkey FOREIGN KEY(cluster_id) REFERENCES cluster (id)
)
"""


def upgrade() -> None:
    op.execute(JOB)
    op.execute(SCHEMA)
    for table in TABLES:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO stratoplane_system")
    for table in WALLED:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_organization ON {table} TO stratoplane_tenant USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY every_organization ON {table} TO stratoplane_system USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO stratoplane_tenant")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
    op.execute(JOB_AS_BEFORE)
