# SPDX-License-Identifier: Apache-2.0
"""Networks."""

from stratoplane.network import NetworkMode
from stratoplane_api.schemas import members as m
from stratoplane_api.schemas.resources import Resource
from stratoplane_api.schemas.strict import Request, changed


class Network(Resource):
    """A private network."""

    cidr = m.text(required=True)
    gateway = m.text("Address of the network's router.", required=True)
    mode = m.choice(NetworkMode, required=True)


class NetworkCreate(Request):
    """A network to make."""

    name = m.name(required=True)
    cidr = m.cidr("Private IPv4 range, /8 to /29, that overlaps no other of the project.", required=True)
    mode = m.choice(
        NetworkMode,
        "`NAT` reaches the outside through the host, `ISOLATED` does not.",
        load_default=NetworkMode.NAT.value,
    )
    labels = m.labels(load_default=dict)
    cluster = m.name("Name of the cluster to use; the platform chooses one when it is left out.")


class NetworkUpdate(Request):
    """What may change of a network."""

    name = changed(NetworkCreate, "name")
    labels = changed(NetworkCreate, "labels")
