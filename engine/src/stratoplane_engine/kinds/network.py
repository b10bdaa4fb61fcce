# SPDX-License-Identifier: Apache-2.0
"""Networks: an IPv4 range with DHCP."""

from ipaddress import IPv4Network, ip_network
from typing import Final

from stratoplane.drivers import Interface
from stratoplane.network import NetworkMode
from stratoplane.quota import Amount, QuotaKey
from stratoplane_engine.kinds.draft import Draft, Gathered, Json, Kind, References, ResourceSnapshot, invalid

SMALLEST_PREFIX: Final = 29
LARGEST_PREFIX: Final = 8
PRIVATE: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
"""RFC 1918; Python's ``is_private`` also holds what no DHCP server can serve, 0.0.0.0/8 and 240.0.0.0/4 among it."""


def _references(body: Json, _present: Json | None) -> References:
    return References(cluster=body.get("cluster", ""), cidr=str(parse_cidr(body["cidr"])) if "cidr" in body else "")


def parse_cidr(text: str) -> IPv4Network:
    """Return the range that ``text`` names.

    Raises:
        InvalidSpecError: no private IPv4 range between /8 and /29, or host bits are set.
    """
    try:
        network = ip_network(text, strict=True)
    except ValueError as error:
        raise invalid("/cidr", f"{text!r} is no network range ({error}); write it as 10.0.0.0/24") from error
    if not isinstance(network, IPv4Network):
        raise invalid("/cidr", f"{text} is IPv6; only IPv4 ranges are served")
    if not LARGEST_PREFIX <= network.prefixlen <= SMALLEST_PREFIX:
        raise invalid("/cidr", f"{text} has a prefix of /{network.prefixlen}; choose one from /8 to /29")
    if not any(network.subnet_of(private) for private in PRIVATE):
        raise invalid("/cidr", f"{text} is no private range; choose one inside {', '.join(map(str, PRIVATE))}")
    return network


def _draft(body: Json, gathered: Gathered) -> Draft:
    network = parse_cidr(body["cidr"])
    if (other := gathered.overlapping) is not None:
        where = f"{network} overlaps with network {other['name']} ({other['cidr']})"
        raise invalid("/cidr", f"{where}; choose a range that no network of the project has")
    spec = {
        "cidr": str(network),
        "gateway": str(network.network_address + 1),
        "mode": body.get("mode", NetworkMode.NAT.value),
    }
    return Draft(spec=spec)


def _redraft(present: Json, _patch: Json, _gathered: Gathered) -> Draft:
    return Draft(spec=present)


def _quota_usage(_spec: Json) -> Amount:
    return {QuotaKey.NETWORKS: 1}


def _driver_spec(resource: ResourceSnapshot) -> Json:
    wanted = {key: resource.spec[key] for key in ("cidr", "gateway", "mode")}
    return {"uid": str(resource.id), "project_id": str(resource.project_id), "name": resource.name, **wanted}


def _describe(spec: Json, _observed: Json) -> Json:
    return {"cidr": spec["cidr"], "gateway": spec["gateway"], "mode": spec["mode"]}


def _adopted(observed: Json) -> Json:
    network = parse_cidr(observed["cidr"])
    if observed["gateway"] != str(network.network_address + 1):
        where = f"its gateway is {observed['gateway']}, not the first address of {network}"
        raise invalid("/reference", f"{where}; such a network stays as it is")
    return {"cidr": observed["cidr"], "mode": observed["mode"]}


NETWORK: Final = Kind(
    name="network",
    interface=Interface.NETWORK,
    count=QuotaKey.NETWORKS,
    references=_references,
    draft=_draft,
    redraft=_redraft,
    quota_usage=_quota_usage,
    driver_spec=_driver_spec,
    describe=_describe,
    adopted=_adopted,
)
