# SPDX-License-Identifier: Apache-2.0
"""The common namespace: what everybody uses, tenants and operators alike."""

from typing import Final

from stratoplane_api.namespaces import COMMON
from stratoplane_api.views import about, catalogue, clusters, identity

ROUTES: Final = COMMON
REGISTERED: Final = (identity, catalogue, clusters, about)
"""The modules whose views the namespace serves: they add their endpoints to it when they are imported."""
