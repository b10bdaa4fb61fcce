# SPDX-License-Identifier: Apache-2.0
"""The tenants' namespace: what a tenant sees and does."""

from typing import Final

from stratoplane_api.namespaces import TENANT
from stratoplane_api.views import (
    audit,  # noqa: F401  # adds its endpoints
    buckets,  # noqa: F401  # imported for its registration, as the others are
    job_control,  # noqa: F401
    jobs,  # noqa: F401
    key_pairs,  # noqa: F401
    networks,  # noqa: F401
    organization,
    virtual_machines,  # noqa: F401
    volumes,  # noqa: F401
)

ROUTES: Final = TENANT

organization.serve(ROUTES)
