# SPDX-License-Identifier: Apache-2.0
"""Finding networks."""

from typing import Any
from uuid import UUID

import libvirt

from stratoplane.errors import NotFoundError
from stratoplane_libvirt.connection import tolerating


def find_network(host: Any, uid: UUID) -> Any | None:
    """Return the network with this UUID, ours or not; None when there is none."""
    with tolerating(libvirt.VIR_ERR_NO_NETWORK):
        return host.networkLookupByUUIDString(str(uid))
    return None


def require_network(host: Any, uid: UUID) -> Any:
    """Return the network with this UUID; NotFoundError when there is none."""
    network = find_network(host, uid)
    if network is None:
        raise NotFoundError(f"the network {uid} does not exist")
    return network
