# SPDX-License-Identifier: Apache-2.0
"""The status of machines, and their usage."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from typing import Any, Final
from uuid import UUID

import libvirt

from stratoplane.compute import MachineAddress, MachineStatus
from stratoplane.drivers import UsageSample
from stratoplane.resources import PowerState
from stratoplane_libvirt.domain_xml import DomainRecord
from stratoplane_libvirt.domains import all_records
from stratoplane_libvirt.network_xml import read_network
from stratoplane_libvirt.networks import find_network

_OFF: Final = frozenset({libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_CRASHED})
_STATE_NAMES: Final[Mapping[int, str]] = {
    libvirt.VIR_DOMAIN_NOSTATE: "unknown",
    libvirt.VIR_DOMAIN_RUNNING: "running",
    libvirt.VIR_DOMAIN_BLOCKED: "blocked",
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_SHUTDOWN: "shutting down",
    libvirt.VIR_DOMAIN_SHUTOFF: "off",
    libvirt.VIR_DOMAIN_CRASHED: "crashed",
    libvirt.VIR_DOMAIN_PMSUSPENDED: "suspended",
}
_STATISTICS: Final = (
    libvirt.VIR_DOMAIN_STATS_CPU_TOTAL | libvirt.VIR_DOMAIN_STATS_BLOCK | libvirt.VIR_DOMAIN_STATS_INTERFACE
)
_NANOSECONDS: Final = 1e9
# Our counter, the prefix of libvirt's indexed statistics and the name of each statistic.
_SUMS: Final = (
    ("disk_read_bytes", "block", "rd.bytes"),
    ("disk_written_bytes", "block", "wr.bytes"),
    ("network_received_bytes", "net", "rx.bytes"),
    ("network_sent_bytes", "net", "tx.bytes"),
)


class StatusReader:
    """Reads machines of one installation; it reads each network once, so create a new one for each call."""

    def __init__(self, host: Any, installation_id: UUID) -> None:
        self._host = host
        self._host_name = str(host.getHostname())
        self._installation_id = installation_id
        self._addresses: dict[UUID, Mapping[str, IPv4Address]] = {}

    def status(self, domain: Any, record: DomainRecord) -> MachineStatus:
        state = domain.state()[0]
        return MachineStatus(
            uid=record.uid,
            name=record.mark.name if record.mark else record.name,
            vcpus=record.vcpus,
            memory_mib=record.memory_mib,
            power=PowerState.STOPPED if state in _OFF else PowerState.RUNNING,
            addresses=tuple(self._machine_addresses(record)),
            volume_uids=tuple(record.volumes(self._installation_id)),
            provider_reference=record.name,
            host=self._host_name,
            private={"state": _STATE_NAMES.get(state, "unknown")},
        )

    def _machine_addresses(self, record: DomainRecord) -> Iterator[MachineAddress]:
        for interface in record.interfaces:
            address = self._network_addresses(interface.network_uid).get(interface.mac)
            if address is not None:
                yield MachineAddress(network_uid=interface.network_uid, mac=interface.mac, address=str(address))

    def _network_addresses(self, uid: UUID) -> Mapping[str, IPv4Address]:
        if uid not in self._addresses:
            network = find_network(self._host, uid)
            self._addresses[uid] = {} if network is None else read_network(network.XMLDesc(0)).hosts
        return self._addresses[uid]


def read_usage(host: Any, installation_id: UUID) -> list[UsageSample]:
    """Return what each running machine of this installation has used since it was started."""
    ours = {
        str(record.uid): record.uid
        for _, record in all_records(host)
        if record.mark is not None and record.mark.installation_id == installation_id
    }
    flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
    statistics = ((domain.UUIDString(), values) for domain, values in host.getAllDomainStats(_STATISTICS, flags))
    return [UsageSample(uid=ours[uuid], readings=_readings(values)) for uuid, values in statistics if uuid in ours]


def _readings(values: Mapping[str, Any]) -> dict[str, float]:
    readings = {"cpu_seconds": values.get("cpu.time", 0) / _NANOSECONDS}
    for counter, prefix, name in _SUMS:
        count = int(values.get(f"{prefix}.count", 0))
        readings[counter] = float(sum(values.get(f"{prefix}.{number}.{name}", 0) for number in range(count)))
    return readings
