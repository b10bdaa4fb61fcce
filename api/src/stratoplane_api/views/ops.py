# SPDX-License-Identifier: Apache-2.0
"""The operators' namespace: what the provider's own people see and do."""

from typing import Final

from stratoplane_api.namespaces import OPS
from stratoplane_api.views import (
    audit,
    catalogue,
    clusters,
    drift,
    fleet,
    foreign_objects,
    incidents,
    job_control,
    jobs,
    operators,
    orphans,
)

ROUTES: Final = OPS

REGISTERED: Final = (
    audit,
    catalogue,
    clusters,
    drift,
    fleet,
    foreign_objects,
    incidents,
    job_control,
    jobs,
    operators,
    orphans,
)
"""The modules whose views the namespace serves: they add their endpoints to it when they are imported."""
