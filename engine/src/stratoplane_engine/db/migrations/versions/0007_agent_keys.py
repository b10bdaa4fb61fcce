# SPDX-License-Identifier: Apache-2.0
"""Keys that agents make themselves, in the place of secrets that they were given; deltas of the inventory.

Agents that enrolled before have no key: they are revoked here and enrol again.
"""

from typing import Final

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES: Final = ("agent_key", "agent_nonce", "installation_key")
# The nonces of two minutes: losing them in a crash costs nothing that a fresh signature does not need as well.
SCHEMA: Final = """
UPDATE agent SET revoked_at = clock_timestamp() WHERE revoked_at IS NULL;
ALTER TABLE agent DROP COLUMN credential_hash;
ALTER TABLE agent ADD COLUMN generation BIGINT DEFAULT 1 NOT NULL;
ALTER TABLE agent ADD COLUMN protocol BIGINT DEFAULT 0 NOT NULL;
ALTER TABLE agent ADD COLUMN locked_at TIMESTAMP WITH TIME ZONE;
CREATE TABLE agent_key (
    agent_id UUID NOT NULL,
    generation BIGINT NOT NULL,
    public_key TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT agent_key_pkey PRIMARY KEY (agent_id, generation),
    CONSTRAINT agent_key_agent_id_fkey FOREIGN KEY(agent_id) REFERENCES agent (id) ON DELETE CASCADE
);
CREATE INDEX agent_key_created_at_idx ON agent_key (created_at);
CREATE UNLOGGED TABLE agent_nonce (
    agent_id UUID NOT NULL,
    nonce TEXT NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT agent_nonce_pkey PRIMARY KEY (agent_id, nonce)
);
CREATE INDEX agent_nonce_expires_at_idx ON agent_nonce (expires_at);
CREATE TABLE installation_key (
    installation_id UUID NOT NULL,
    private_key TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT installation_key_pkey PRIMARY KEY (installation_id),
    CONSTRAINT installation_key_installation_id_fkey FOREIGN KEY(installation_id) REFERENCES installation (id)
);
ALTER TABLE inventory ADD COLUMN changed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL;
CREATE INDEX inventory_changed_at_idx ON inventory (changed_at);
ALTER TABLE inventory_report ADD COLUMN snapshot_id UUID;
ALTER TABLE inventory_report ADD COLUMN sequence BIGINT DEFAULT 0 NOT NULL
"""


def upgrade() -> None:
    op.execute(SCHEMA)
    for table in TABLES:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO stratoplane_system")


def downgrade() -> None:
    op.execute("ALTER TABLE inventory_report DROP COLUMN sequence")
    op.execute("ALTER TABLE inventory_report DROP COLUMN snapshot_id")
    op.execute("ALTER TABLE inventory DROP COLUMN changed_at")
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
    op.execute("ALTER TABLE agent DROP COLUMN locked_at, DROP COLUMN protocol, DROP COLUMN generation")
    op.execute("ALTER TABLE agent ADD COLUMN credential_hash TEXT")
    op.execute("UPDATE agent SET credential_hash = CAST(id AS text)")
    op.execute("ALTER TABLE agent ALTER COLUMN credential_hash SET NOT NULL")
    op.execute("ALTER TABLE agent ADD CONSTRAINT agent_credential_hash_key UNIQUE (credential_hash)")
