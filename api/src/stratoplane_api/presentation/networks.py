# SPDX-License-Identifier: Apache-2.0
"""Networks in the form that the API shows."""

from stratoplane_api.presentation.resources import resource
from stratoplane_engine.kinds.network import NetworkSpec
from stratoplane_engine.model.resource import Resource


def network(value: Resource[NetworkSpec]) -> dict[str, object]:
    """Return the wire form of a network."""
    return resource(value, {"cidr": value.spec.cidr, "gateway": value.spec.gateway, "mode": value.spec.mode})
