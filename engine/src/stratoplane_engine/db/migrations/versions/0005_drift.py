# SPDX-License-Identifier: Apache-2.0
"""Differences, the policies for them, and objects that are not ours."""

from typing import Final

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES: Final = ("drift_policy", "drift", "watermark", "foreign_object")
WALLED: Final = ("drift",)
OWN: Final = "organization_id = (SELECT nullif(current_setting('stratoplane.organization', true), '')::uuid)"
SCHEMA: Final = """
CREATE TABLE drift_policy (
    kind TEXT NOT NULL,
    field TEXT NOT NULL,
    driver TEXT DEFAULT '*' NOT NULL,
    policy TEXT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT drift_policy_pkey PRIMARY KEY (kind, field, driver),
    CONSTRAINT drift_policy_policy_check CHECK (policy IN ('correct', 'adopt', 'alert'))
);
CREATE TABLE drift (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    project_id UUID NOT NULL,
    resource_id UUID NOT NULL,
    cluster_id UUID,
    kind TEXT NOT NULL,
    field TEXT NOT NULL,
    desired JSONB,
    observed JSONB,
    policy TEXT NOT NULL,
    job_id UUID,
    corrections INTEGER DEFAULT 0 NOT NULL,
    found_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT drift_pkey PRIMARY KEY (id),
    CONSTRAINT drift_policy_check CHECK (policy IN ('correct', 'adopt', 'alert'))
);
CREATE UNIQUE INDEX drift_open_key ON drift (resource_id, field) WHERE ended_at IS NULL;
CREATE INDEX drift_page_idx ON drift (id);
CREATE INDEX drift_resource_idx ON drift (resource_id, id);
CREATE TABLE watermark (
    name TEXT NOT NULL,
    looked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT watermark_pkey PRIMARY KEY (name)
);
CREATE TABLE foreign_object (
    cluster_id UUID NOT NULL,
    kind TEXT NOT NULL,
    reference TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    status JSONB DEFAULT '{}' NOT NULL,
    first_seen_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT foreign_object_pkey PRIMARY KEY (cluster_id, kind, reference),
    CONSTRAINT foreign_object_cluster_id_fkey FOREIGN KEY(cluster_id) REFERENCES cluster (id)
)
"""


def upgrade() -> None:
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
