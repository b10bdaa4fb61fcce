# SPDX-License-Identifier: Apache-2.0
"""The agents' namespace: what agents say, and what their API tells a load balancer."""

from typing import Final

from stratoplane_api.namespaces import AGENT
from stratoplane_api.views import agent, agent_probes

ROUTES: Final = AGENT
REGISTERED: Final = (agent, agent_probes)
"""The modules whose views the namespace serves: they add their endpoints to it when they are imported."""
