# SPDX-License-Identifier: Apache-2.0
"""A cluster has one agent, and an agent one process: the processes that it had, and tokens that replace an agent.

Of several agents of a cluster the one that was heard of last stays, and the others are revoked.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    UPDATE agent a SET revoked_at = clock_timestamp()
    WHERE a.revoked_at IS NULL AND a.locked_at IS NULL AND a.id <> (
        SELECT b.id FROM agent b
        WHERE b.cluster_id = a.cluster_id AND b.revoked_at IS NULL AND b.locked_at IS NULL
        ORDER BY b.seen_at DESC NULLS LAST, b.created_at DESC LIMIT 1)
    """)
    op.execute("""
    CREATE UNIQUE INDEX agent_one_key ON agent (cluster_id) WHERE revoked_at IS NULL AND locked_at IS NULL
    """)
    op.execute("""
    ALTER TABLE agent ADD COLUMN process TEXT DEFAULT '' NOT NULL,
        ADD COLUMN process_since TIMESTAMP WITH TIME ZONE,
        ADD COLUMN past_processes TEXT[] DEFAULT '{}' NOT NULL
    """)
    op.execute("ALTER TABLE join_token ADD COLUMN replaces BOOLEAN DEFAULT false NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE join_token DROP COLUMN replaces")
    op.execute("ALTER TABLE agent DROP COLUMN process, DROP COLUMN process_since, DROP COLUMN past_processes")
    op.execute("DROP INDEX agent_one_key")
