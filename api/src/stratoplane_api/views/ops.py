# SPDX-License-Identifier: Apache-2.0
"""The operators' namespace: what the provider's own people see and do."""

from typing import Final

from stratoplane_api.namespaces import OPS
from stratoplane_api.views import (
    audit,  # noqa: F401  # adds its endpoints
    catalogue,
    clusters,
    drift,  # noqa: F401  # adds its endpoints
    fleet,
    foreign_objects,  # noqa: F401  # adds its endpoints
    incidents,  # noqa: F401  # adds its endpoints
    job_control,  # noqa: F401  # adds its endpoints
    jobs,  # noqa: F401  # adds its endpoints
    operators,
)

ROUTES: Final = OPS

operators.serve(ROUTES)
clusters.serve_operators(ROUTES)
fleet.serve_operators(ROUTES)
catalogue.serve_operators(ROUTES)
