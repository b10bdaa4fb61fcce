# SPDX-License-Identifier: Apache-2.0
"""The operators' namespace: what the provider's own people see and do."""

from typing import Final

from stratoplane_api.routes import Routes
from stratoplane_api.views import catalogue, clusters, drift, fleet, foreign_objects, incidents, job_control, operators

ROUTES: Final = Routes("ops", "/api/ops/v1", "What the provider's operators see and do.")

operators.serve(ROUTES)
job_control.serve_operators(ROUTES)
incidents.serve(ROUTES)
drift.serve(ROUTES)
foreign_objects.serve(ROUTES)
clusters.serve_operators(ROUTES)
fleet.serve_operators(ROUTES)
catalogue.serve_operators(ROUTES)
