# SPDX-License-Identifier: Apache-2.0
"""The operators' namespace: what the provider's own people see and do."""

from typing import Final

from stratoplane_api.namespaces import OPS
from stratoplane_api.views import (
    catalogue,
    clusters,
    drift,
    fleet,
    foreign_objects,  # noqa: F401  # imported for its registration
    incidents,
    job_control,
    operators,
)

ROUTES: Final = OPS

operators.serve(ROUTES)
job_control.serve_operators(ROUTES)
incidents.serve(ROUTES)
drift.serve(ROUTES)
clusters.serve_operators(ROUTES)
fleet.serve_operators(ROUTES)
catalogue.serve_operators(ROUTES)
