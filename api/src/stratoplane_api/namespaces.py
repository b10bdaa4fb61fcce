# SPDX-License-Identifier: Apache-2.0
"""The namespaces of the API; views add their endpoints to them when they are imported."""

from typing import Final

from stratoplane_api.routes import Routes

COMMON: Final = Routes("common", "/api/common/v1", "What tenants and operators use alike.")
TENANT: Final = Routes("tenant", "/api/tenant/v1", "What a tenant sees and does.")
OPS: Final = Routes("ops", "/api/ops/v1", "What the provider's operators see and do.")
AGENT: Final = Routes("agent", "/api/agent/v1", "What the agents of clusters say.")
