# SPDX-License-Identifier: Apache-2.0
"""Tenants may read which cluster's circuit is open, as they may read which cluster is silent: their jobs wait for it."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("GRANT SELECT (cluster_id, trips, open_until) ON circuit TO stratoplane_tenant")


def downgrade() -> None:
    op.execute("REVOKE SELECT (cluster_id, trips, open_until) ON circuit FROM stratoplane_tenant")
