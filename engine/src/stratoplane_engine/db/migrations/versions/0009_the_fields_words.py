# SPDX-License-Identifier: Apache-2.0
"""Name columns as the field does, and drop those that nothing reads.

Stored answers to idempotency keys have another form from now on; those of the form before are forgotten.
"""

from typing import Final

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

UPGRADE: Final = """
ALTER TABLE resource RENAME COLUMN holds TO quota_usage;
ALTER TABLE resource_revision RENAME COLUMN holds TO quota_usage;
ALTER TABLE incident RENAME COLUMN sightings TO occurrences;
ALTER FUNCTION refuse_acceptance(jsonb) RENAME TO refuse_change;
DELETE FROM idempotency;
ALTER TABLE idempotency DROP COLUMN status;
DROP INDEX outbox_unsent_idx;
ALTER TABLE outbox DROP COLUMN sent_at;
"""
DOWNGRADE: Final = """
ALTER TABLE outbox ADD COLUMN sent_at TIMESTAMP WITH TIME ZONE;
CREATE INDEX outbox_unsent_idx ON outbox (id) WHERE sent_at IS NULL;
DELETE FROM idempotency;
ALTER TABLE idempotency ADD COLUMN status INTEGER;
ALTER FUNCTION refuse_change(jsonb) RENAME TO refuse_acceptance;
ALTER TABLE incident RENAME COLUMN occurrences TO sightings;
ALTER TABLE resource_revision RENAME COLUMN quota_usage TO holds;
ALTER TABLE resource RENAME COLUMN quota_usage TO holds;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
