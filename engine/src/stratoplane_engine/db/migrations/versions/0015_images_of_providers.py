# SPDX-License-Identifier: Apache-2.0
"""Which images each driver has, by source or by our id; NULL of those that do not tell, as older agents' drivers."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE provider ADD COLUMN images JSONB")


def downgrade() -> None:
    op.execute("ALTER TABLE provider DROP COLUMN images")
