# SPDX-License-Identifier: Apache-2.0
"""When each driver answered what it is asked again and again, as its agent reports it; older agents report nothing."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE provider ADD COLUMN listings JSONB DEFAULT '[]' NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE provider DROP COLUMN listings")
