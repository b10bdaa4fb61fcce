# SPDX-License-Identifier: Apache-2.0
"""Notify when what a token stands for may have changed, so that processes may keep the answer for a moment.

By triggers, so that no statement can forget it, and one that an operator runs in psql counts too.
"""

from typing import Final

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

FUNCTION: Final = """
CREATE FUNCTION notify_identity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY stratoplane_identity;
    RETURN NULL;
END $$
"""
TRIGGER: Final = """
CREATE TRIGGER {table}_notify_identity AFTER {events} ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION notify_identity()
"""
# A new token, user, role or organization was not known to anybody before.
EVENTS: Final = {
    "api_token": "UPDATE OR DELETE",
    "user_account": "UPDATE OR DELETE",
    "organization": "UPDATE OR DELETE",
    "role": "UPDATE OR DELETE",
    "role_binding": "INSERT OR UPDATE OR DELETE",
}


def upgrade() -> None:
    op.execute(FUNCTION)
    for table, events in EVENTS.items():
        op.execute(TRIGGER.format(table=table, events=events))


def downgrade() -> None:
    for table in EVENTS:
        op.execute(f"DROP TRIGGER {table}_notify_identity ON {table}")
    op.execute("DROP FUNCTION notify_identity()")
