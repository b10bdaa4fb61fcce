# SPDX-License-Identifier: Apache-2.0
"""Every table of the platform.

Tables that hold tenants' data carry ``organization_id`` first in their keys and indexes, and the migration forces
row-level security on them (:data:`TENANT_TABLES`).
"""

from typing import Final

from stratoplane_engine.db.tables.clusters import (
    agent,
    agent_key,
    agent_nonce,
    cluster,
    flavor,
    image,
    installation_key,
    join_token,
    provider,
)
from stratoplane_engine.db.tables.columns import metadata
from stratoplane_engine.db.tables.drift import drift, drift_policy, foreign_object, watermark
from stratoplane_engine.db.tables.history import (
    audit_checkpoint,
    audit_event,
    audit_leaf,
    audit_tree,
    inventory,
    inventory_report,
)
from stratoplane_engine.db.tables.identity import (
    api_token,
    installation,
    organization,
    project,
    role,
    role_binding,
    user_account,
)
from stratoplane_engine.db.tables.incidents import delivery, incident, incident_event
from stratoplane_engine.db.tables.jobs import circuit, idempotency, job, job_step, leak, operation, outbox
from stratoplane_engine.db.tables.ownership import quota, resource, resource_link, resource_revision

__all__ = [
    "TENANT_TABLES",
    "agent",
    "agent_key",
    "agent_nonce",
    "api_token",
    "audit_checkpoint",
    "audit_event",
    "audit_leaf",
    "audit_tree",
    "circuit",
    "cluster",
    "delivery",
    "drift",
    "drift_policy",
    "flavor",
    "foreign_object",
    "idempotency",
    "image",
    "incident",
    "incident_event",
    "installation",
    "installation_key",
    "inventory",
    "inventory_report",
    "job",
    "job_step",
    "join_token",
    "leak",
    "metadata",
    "operation",
    "organization",
    "outbox",
    "project",
    "provider",
    "quota",
    "resource",
    "resource_link",
    "resource_revision",
    "role",
    "role_binding",
    "user_account",
    "watermark",
]

TENANT_TABLES: Final = (
    project,
    user_account,
    role_binding,
    api_token,
    quota,
    resource,
    resource_link,
    resource_revision,
    job,
    job_step,
    operation,
    idempotency,
    audit_event,
    leak,
    drift,
    incident,
)
"""Tables under forced row-level security: a tenant's transaction sees the rows of its own organization only."""
