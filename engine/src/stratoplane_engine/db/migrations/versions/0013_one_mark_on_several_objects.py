# SPDX-License-Identifier: Apache-2.0
"""Further objects of a cluster that carry the mark of a listed one; older agents report none."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE inventory ADD COLUMN others JSONB DEFAULT '[]' NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE inventory DROP COLUMN others")
