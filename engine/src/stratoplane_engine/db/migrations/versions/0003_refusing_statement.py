# SPDX-License-Identifier: Apache-2.0
"""Let a statement refuse, so that a commit may be sent right behind it."""

from typing import Final

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

REFUSE: Final = """
CREATE FUNCTION refuse_acceptance(refusal jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the acceptance is refused' USING DETAIL = refusal::text;
END $$
"""


def upgrade() -> None:
    op.execute(REFUSE)


def downgrade() -> None:
    op.execute("DROP FUNCTION refuse_acceptance(jsonb)")
