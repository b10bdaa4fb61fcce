# SPDX-License-Identifier: Apache-2.0
"""Networks: an IPv4 range with DHCP."""

from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import Final

from stratoplane.compared_fields import ComparedField, Comparison, DriftPolicy
from stratoplane.drivers import Interface
from stratoplane.kinds import (
    Draft,
    Kind,
    Observed,
    References,
    ResolvedReferences,
    ResourcePatch,
    ResourceRequest,
    ResourceSnapshot,
    Spec,
    invalid,
)
from stratoplane.network import NetworkMode
from stratoplane.network import NetworkSpec as DriverNetworkSpec
from stratoplane.quota import DEFAULT_LIMITS, Amount, QuotaKey

SMALLEST_PREFIX: Final = 29
LARGEST_PREFIX: Final = 8
PRIVATE: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
"""RFC 1918; Python's ``is_private`` also holds what no DHCP server can serve, 0.0.0.0/8 and 240.0.0.0/4 among it."""
_CORRECTED: Final = (DriftPolicy.CORRECT, DriftPolicy.ALERT)
_ALERTED: Final = (DriftPolicy.ALERT,)


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkSpec(Spec):
    """A network as it should be: IPv4 ``cidr`` whose first host address is the ``gateway``."""

    cidr: str
    gateway: str
    mode: NetworkMode


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkRequest(ResourceRequest):
    """A network to make."""

    cidr: str
    mode: NetworkMode = NetworkMode.NAT


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkPatch(ResourcePatch):
    """What may change of a network."""


class NetworkKind(Kind[NetworkSpec, NetworkRequest, NetworkPatch]):
    """Networks."""

    name = "network"
    interface = Interface.NETWORK
    quota_key = QuotaKey.NETWORKS
    default_limit = DEFAULT_LIMITS[QuotaKey.NETWORKS]
    spec = NetworkSpec
    request = NetworkRequest
    patch = NetworkPatch
    compared = (
        ComparedField(name="name", policies=_CORRECTED, comparison=Comparison.NAME),
        ComparedField(name="cidr", policies=_ALERTED),
        ComparedField(name="gateway", policies=_ALERTED),
        ComparedField(name="mode", policies=_ALERTED),
        ComparedField(name="active", policies=_CORRECTED, comparison=Comparison.ALWAYS_TRUE),
    )

    def references(self, wanted: NetworkRequest | NetworkPatch) -> References:
        if isinstance(wanted, NetworkPatch):
            return References()
        return References(cluster=wanted.cluster, cidr=str(parse_cidr(wanted.cidr)))

    def draft(self, wanted: NetworkRequest, found: ResolvedReferences) -> Draft[NetworkSpec]:
        network = parse_cidr(wanted.cidr)
        if (other := found.overlapping) is not None:
            where = f"{network} overlaps with network {other.name} ({other.cidr})"
            raise invalid("/cidr", f"{where}; choose a range that no network of the project has")
        return Draft(spec=NetworkSpec(cidr=str(network), gateway=str(network.network_address + 1), mode=wanted.mode))

    def redraft(self, present: NetworkSpec, change: NetworkPatch, found: ResolvedReferences) -> Draft[NetworkSpec]:  # noqa: ARG002
        return Draft(spec=present)

    def quota_usage(self, spec: NetworkSpec) -> Amount:  # noqa: ARG002
        return {QuotaKey.NETWORKS: 1}

    def driver_spec(self, resource: ResourceSnapshot[NetworkSpec]) -> DriverNetworkSpec:
        spec = resource.spec
        return DriverNetworkSpec(
            uid=resource.id,
            project_id=resource.project_id,
            name=resource.name,
            cidr=spec.cidr,
            gateway=spec.gateway,
            mode=spec.mode,
        )

    def adopted(self, observed: Observed, name: str, cluster: str) -> NetworkRequest:
        shown = {member: observed[member] for member in ("cidr", "gateway", "mode")}
        wanted = self.read_request({**shown, "name": name, "cluster": cluster})
        network = parse_cidr(wanted.cidr)
        if shown["gateway"] != str(network.network_address + 1):
            where = f"its gateway is {shown['gateway']}, not the first address of {network}"
            raise invalid("/reference", f"{where}; such a network stays as it is")
        return wanted


def addresses(cidr: str) -> int:
    """Return how many machines a range has addresses for: all but its own two and the gateway."""
    return ip_network(cidr).num_addresses - 3


def parse_cidr(text: str) -> IPv4Network:
    """Return the range that ``text`` names.

    Raises:
        InvalidSpecError: not a private IPv4 range between /8 and /29, or host bits are set.
    """
    try:
        network = ip_network(text, strict=True)
    except ValueError as error:
        raise invalid("/cidr", f"{text!r} is not a valid network range ({error}); write it as 10.0.0.0/24") from error
    if not isinstance(network, IPv4Network):
        raise invalid("/cidr", f"{text} is IPv6; only IPv4 ranges are served")
    if not LARGEST_PREFIX <= network.prefixlen <= SMALLEST_PREFIX:
        raise invalid("/cidr", f"{text} has a prefix of /{network.prefixlen}; choose one from /8 to /29")
    if not any(network.subnet_of(private) for private in PRIVATE):
        raise invalid("/cidr", f"{text} is not private; choose a range inside {', '.join(map(str, PRIVATE))}")
    return network
