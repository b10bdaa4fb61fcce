# SPDX-License-Identifier: Apache-2.0
"""Finding networks."""

from typing import Any
from uuid import UUID

import libvirt

from stratoplane.errors import NotFoundError
from stratoplane_libvirt.connection import tolerating
from stratoplane_libvirt.network_xml import read_network


def find_network(host: Any, uid: UUID) -> Any | None:
    """Return the network with this UUID, ours or not; None if it does not exist."""
    with tolerating(libvirt.VIR_ERR_NO_NETWORK):
        return host.networkLookupByUUIDString(str(uid))
    return None


def require_network(host: Any, uid: UUID, installation_id: UUID) -> Any:
    """Return our network with this UUID. Raises NotFoundError if it does not exist or is foreign."""
    network = find_network(host, uid)
    mark = None if network is None else read_network(network.XMLDesc(0)).mark
    if mark is None or mark.installation_id != installation_id:
        raise NotFoundError(f"the network {uid} does not exist")
    return network
