# SPDX-License-Identifier: Apache-2.0
"""Networks on libvirt: a bridge with DHCP of its own, with or without address translation to the outside."""

import dataclasses
from collections.abc import Iterable
from typing import Any, ClassVar, Final
from uuid import UUID

import libvirt

from stratoplane.drivers import Capacity, DriverContext
from stratoplane.errors import ConflictError, NotFoundError, PermanentError
from stratoplane.foreign import ForeignObject, ForeignOps
from stratoplane.network import NetworkDriver, NetworkMode, NetworkSpec, NetworkStatus
from stratoplane_libvirt import names
from stratoplane_libvirt.connection import Connection, tolerating
from stratoplane_libvirt.domains import all_records
from stratoplane_libvirt.foreign import in_order
from stratoplane_libvirt.locks import ObjectLocks
from stratoplane_libvirt.marks import Mark
from stratoplane_libvirt.network_xml import NetworkRecord, build_network, read_network, with_mark
from stratoplane_libvirt.networks import find_network
from stratoplane_libvirt.settings import LibvirtSettings
from stratoplane_libvirt.xml_document import clean, render


class LibvirtNetworkDriver(NetworkDriver, ForeignOps):
    """Networks on one libvirt host."""

    Settings: ClassVar = LibvirtSettings

    def __init__(self, settings: LibvirtSettings, context: DriverContext) -> None:
        super().__init__(settings, context)
        self._installation_id: Final = context.installation_id
        self._connection: Final = Connection(settings.uri)
        self._locks: Final = ObjectLocks()

    def prepare(self) -> None:
        with self._connection.reading("list the networks") as host:
            host.listAllNetworks(0)

    def capacity(self) -> Capacity:
        return Capacity()

    def observe(self, uid: UUID) -> NetworkStatus | None:
        with self._connection.reading(f"describe network {uid}") as host:
            network = find_network(host, uid)
            if network is None or not self._is_ours(record := _stored(network)):
                return None
            return _status(network, record)

    def list(self) -> Iterable[NetworkStatus]:
        with self._connection.reading("list the networks") as host:
            found = [(network, record) for network, record in _all_networks(host) if self._is_ours(record)]
            return [_status(network, record) for network, record in found]

    def list_foreign(self, limit: int) -> Iterable[ForeignObject]:
        with self._connection.reading("list foreign networks") as host:
            others = ((network, record) for network, record in _all_networks(host) if not self._is_ours(record))
            return in_order((_status(network, record) for network, record in others), limit)

    def create(self, spec: NetworkSpec) -> NetworkStatus:
        with self._locks.hold(spec.uid), self._connection.changing(f"create network {spec.uid}") as host:
            network = find_network(host, spec.uid)
            if network is not None:
                return self._converge(host, network, spec)
            mark = Mark(installation_id=self._installation_id, project_id=spec.project_id, name=spec.name)
            definition = build_network(spec, mark)
            _refuse_overlap(host, read_network(render(definition)))
            network = host.networkDefineXML(render(definition))
            try:
                return self._converge(host, network, spec)
            except (PermanentError, libvirt.libvirtError):
                _remove_unstarted(network)
                raise

    def update(self, spec: NetworkSpec) -> NetworkStatus:
        with self._locks.hold(spec.uid), self._connection.changing(f"change network {spec.uid}") as host:
            network = find_network(host, spec.uid)
            if network is None:
                raise NotFoundError(f"the network {spec.uid} does not exist")
            return self._converge(host, network, spec)

    def delete(self, uid: UUID) -> None:
        with self._locks.hold(uid), self._connection.changing(f"delete network {uid}") as host:
            network = find_network(host, uid)
            if network is None:
                return
            self._own(_stored(network))
            _refuse_use(host, uid)
            with tolerating(libvirt.VIR_ERR_NO_NETWORK):
                if network.isActive():
                    network.destroy()
                network.undefine()

    def _converge(self, host: Any, network: Any, spec: NetworkSpec) -> NetworkStatus:
        record = _stored(network)
        mark = self._own(record)
        _refuse_other_shape(record, spec)
        if mark.name != clean(spec.name):
            renamed = with_mark(record.element, dataclasses.replace(mark, name=spec.name))
            network = host.networkDefineXML(render(renamed))
        network.setAutostart(1)
        if not network.isActive():
            network.create()
        return _status(network, _stored(network))

    def _own(self, record: NetworkRecord) -> Mark:
        if record.mark is None or not self._is_ours(record):
            raise ConflictError(f"the network {record.name} has our id but not our mark; it is left alone")
        return record.mark

    def _is_ours(self, record: NetworkRecord) -> bool:
        return record.mark is not None and record.mark.installation_id == self._installation_id


def _stored(network: Any) -> NetworkRecord:
    """Read the persistent definition: the live one keeps the name that the network was started with."""
    return read_network(network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE))


def _all_networks(host: Any) -> Iterable[tuple[Any, NetworkRecord]]:
    for network in host.listAllNetworks(0):
        text = None
        with tolerating(libvirt.VIR_ERR_NO_NETWORK):
            text = network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE if network.isPersistent() else 0)
        if text is not None:
            yield network, read_network(text)


def _status(network: Any, record: NetworkRecord) -> NetworkStatus:
    return NetworkStatus(
        uid=record.uid,
        name=record.mark.name if record.mark else record.name,
        cidr=str(record.subnet or ""),
        gateway=str(record.gateway or ""),
        mode=record.mode or NetworkMode.ISOLATED,
        active=bool(network.isActive()),
        provider_reference=record.name,
        private={"bridge": names.bridge_name(record.uid)},
    )


def _refuse_other_shape(record: NetworkRecord, spec: NetworkSpec) -> None:
    pairs = {
        "cidr": (str(record.subnet), spec.cidr),
        "gateway": (str(record.gateway), spec.gateway),
        "mode": (record.mode, spec.mode),
    }
    if different := [name for name, (present, wanted) in pairs.items() if present != wanted]:
        raise ConflictError(f"the network {spec.uid} already exists and differs in {', '.join(different)}")


def _refuse_overlap(host: Any, wanted: NetworkRecord) -> None:
    """Raise ConflictError if another network of this libvirt overlaps the range; libvirt checks the host's routes."""
    for _, other in _all_networks(host):
        if wanted.subnet and other.subnet and other.uid != wanted.uid and wanted.subnet.overlaps(other.subnet):
            raise ConflictError(
                f"{wanted.subnet} overlaps with {other.subnet} of the network {other.name} on this host"
            )


def _refuse_use(host: Any, uid: UUID) -> None:
    for _, record in all_records(host):
        if any(interface.network_uid == uid for interface in record.interfaces):
            raise ConflictError(f"the network {uid} is in use by {record.name}")


def _remove_unstarted(network: Any) -> None:
    """Undefine a network that could not be started, unless it started after all."""
    with tolerating(libvirt.VIR_ERR_NO_NETWORK, libvirt.VIR_ERR_OPERATION_INVALID):
        if not network.isActive():
            network.undefine()
