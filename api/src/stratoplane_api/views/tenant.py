# SPDX-License-Identifier: Apache-2.0
"""The tenants' namespace: what a tenant sees and does."""

from typing import Final

from stratoplane_api.namespaces import TENANT
from stratoplane_api.views import (
    audit,
    buckets,
    job_control,
    jobs,
    key_pairs,
    networks,
    organization,
    virtual_machines,
    volumes,
)

ROUTES: Final = TENANT

REGISTERED: Final = (audit, buckets, job_control, jobs, key_pairs, networks, organization, virtual_machines, volumes)
"""The modules whose views the namespace serves: they add their endpoints to it when they are imported."""
