# SPDX-License-Identifier: Apache-2.0
"""Networks in the form that the API shows."""

from typing import Final

from stratoplane_api.presentation.resources import resource
from stratoplane_engine.kinds.network import NetworkKind, NetworkSpec
from stratoplane_engine.model.resource import Resource

_KIND: Final = NetworkKind()


def network(value: Resource[NetworkSpec]) -> dict[str, object]:
    """Return the wire form of a network."""
    return resource(_KIND, value, {"cidr": value.spec.cidr, "gateway": value.spec.gateway, "mode": value.spec.mode})
