# SPDX-License-Identifier: Apache-2.0
"""Incidents, their history and whom they were told to."""

from typing import Final

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES: Final = (
    "incident",
    "incident_event",
    "delivery",
)
WALLED: Final = ("incident",)
OWN: Final = "organization_id = (SELECT nullif(current_setting('stratoplane.organization', true), '')::uuid)"
SCHEMA: Final = """
CREATE TABLE incident (
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    status TEXT DEFAULT 'OPEN' NOT NULL,
    key TEXT NOT NULL,
    title TEXT NOT NULL,
    detail JSONB DEFAULT '{}' NOT NULL,
    organization_id UUID,
    cluster_id UUID,
    resource_id UUID,
    sightings BIGINT DEFAULT 1 NOT NULL,
    assignee TEXT DEFAULT '' NOT NULL,
    escalation INTEGER DEFAULT 0 NOT NULL,
    escalates_at TIMESTAMP WITH TIME ZONE,
    opened_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    acknowledged_at TIMESTAMP WITH TIME ZONE,
    resolved_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT incident_pkey PRIMARY KEY (id),
    CONSTRAINT incident_status_check CHECK (status IN ('OPEN', 'ACKNOWLEDGED', 'RESOLVED')),
    CONSTRAINT incident_severity_check CHECK (severity IN ('INFO', 'WARNING', 'CRITICAL'))
);
CREATE INDEX incident_escalation_idx ON incident (escalates_at) WHERE status = 'OPEN';
CREATE UNIQUE INDEX incident_key_key ON incident (key) WHERE status <> 'RESOLVED';
CREATE INDEX incident_last_idx ON incident (key, resolved_at);
CREATE TABLE incident_event (
    id UUID NOT NULL,
    incident_id UUID NOT NULL,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    detail JSONB DEFAULT '{}' NOT NULL,
    occurred_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    told_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT incident_event_pkey PRIMARY KEY (id),
    CONSTRAINT incident_event_incident_id_fkey FOREIGN KEY(incident_id) REFERENCES incident (id) ON DELETE CASCADE
);
CREATE INDEX incident_event_incident_id_idx ON incident_event (incident_id, id);
CREATE INDEX incident_event_untold_idx ON incident_event (occurred_at) WHERE told_at IS NULL;
CREATE TABLE delivery (
    id UUID NOT NULL,
    incident_id UUID NOT NULL,
    event_id UUID NOT NULL,
    plugin TEXT NOT NULL,
    notification JSONB DEFAULT '{}' NOT NULL,
    state TEXT DEFAULT 'PENDING' NOT NULL,
    attempts BIGINT DEFAULT 0 NOT NULL,
    error TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    next_attempt_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp(),
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT delivery_pkey PRIMARY KEY (id),
    CONSTRAINT delivery_state_check CHECK (state IN ('PENDING', 'DELIVERED', 'FAILED')),
    CONSTRAINT delivery_event_id_plugin_key UNIQUE (event_id, plugin),
    CONSTRAINT delivery_incident_id_fkey FOREIGN KEY(incident_id) REFERENCES incident (id) ON DELETE CASCADE
);
CREATE INDEX delivery_due_idx ON delivery (next_attempt_at) WHERE state = 'PENDING';
CREATE INDEX delivery_incident_id_idx ON delivery (incident_id, id)
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
