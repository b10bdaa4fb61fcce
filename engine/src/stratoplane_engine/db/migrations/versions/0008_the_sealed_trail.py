# SPDX-License-Identifier: Apache-2.0
"""The audit trail under seal: which transaction wrote an event, the leaves of the tree, signed checkpoints.

Events that are there already count as written by this migration; the sealer takes them first.
"""

from typing import Final

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SYSTEM: Final = "stratoplane_system"
GROWING: Final = ("audit_leaf", "audit_checkpoint")
SCHEMA: Final = """
ALTER TABLE audit_event ADD COLUMN transaction XID8 DEFAULT pg_current_xact_id() NOT NULL;
CREATE INDEX audit_event_transaction_idx ON audit_event (transaction);
CREATE TABLE audit_tree (
    only_one BOOLEAN DEFAULT true NOT NULL,
    size BIGINT DEFAULT 0 NOT NULL,
    peaks BYTEA DEFAULT '' NOT NULL,
    sealed_to XID8 DEFAULT '0' NOT NULL,
    CONSTRAINT audit_tree_pkey PRIMARY KEY (only_one),
    CONSTRAINT audit_tree_only_one_check CHECK (only_one)
);
CREATE TABLE audit_leaf (
    position BIGINT NOT NULL,
    event_id UUID NOT NULL,
    hash BYTEA NOT NULL,
    CONSTRAINT audit_leaf_pkey PRIMARY KEY (position),
    CONSTRAINT audit_leaf_event_id_key UNIQUE (event_id)
);
CREATE TABLE audit_checkpoint (
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    sealed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    note TEXT NOT NULL,
    CONSTRAINT audit_checkpoint_pkey PRIMARY KEY (size)
);
INSERT INTO audit_tree DEFAULT VALUES
"""


def upgrade() -> None:
    op.execute(SCHEMA)
    op.execute(f"GRANT SELECT, UPDATE ON audit_tree TO {SYSTEM}")
    for table in GROWING:
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {SYSTEM}")
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    for table in ("audit_tree", *GROWING):
        op.execute(f"DROP TABLE {table}")
    op.execute("ALTER TABLE audit_event DROP COLUMN transaction")
