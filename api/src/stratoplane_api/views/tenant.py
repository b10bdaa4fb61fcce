# SPDX-License-Identifier: Apache-2.0
"""The tenants' namespace: what a tenant sees and does."""

from typing import Final

from stratoplane_api.namespaces import TENANT
from stratoplane_api.views import job_control, jobs, organization, resources
from stratoplane_api.views.kinds import KINDS

ROUTES: Final = TENANT

organization.serve(ROUTES)
for _kind in KINDS:
    resources.serve(ROUTES, _kind)
jobs.serve(ROUTES)
job_control.serve_tenant(ROUTES)
