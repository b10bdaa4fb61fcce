# SPDX-License-Identifier: Apache-2.0
"""Virtual machines of the simulated region."""

from collections.abc import Iterable
from typing import ClassVar, Final
from uuid import UUID

from stratoplane.compute import ComputeDriver, ConsoleOps, ImageOps, MachineSpec, MachineStatus, RebootOps, ResizeOps
from stratoplane.drivers import AvailableImage, Capacity, DriverContext, UsageSample
from stratoplane.foreign import ForeignObject, ForeignOps
from stratoplane.jobs import Wait
from stratoplane_mock import console, hosts, machine_table, machines, volumes
from stratoplane_mock.rules import Call, Kind
from stratoplane_mock.session import Session
from stratoplane_mock.settings import MockSettings


class MockComputeDriver(ComputeDriver, RebootOps, ResizeOps, ConsoleOps, ImageOps, ForeignOps):
    """Machines that exist in a file only."""

    production_ready: ClassVar = False
    Settings: ClassVar = MockSettings

    def __init__(self, settings: MockSettings, context: DriverContext) -> None:
        super().__init__(settings, context)
        self._session: Final = Session(settings, context)

    def prepare(self) -> None:
        self._session.prepare()

    def capacity(self) -> Capacity:
        size = self._session.region.read(_call("capacity"), hosts.size)
        return Capacity(vcpus=size.hosts * size.host_vcpus, memory_mib=size.hosts * size.host_memory_mib)

    def usage(self) -> Iterable[UsageSample]:
        return self._session.read(_call("usage"), machine_table.usage)

    def observe(self, uid: UUID) -> MachineStatus | None:
        return self._session.read(_call("observe", uid), machine_table.observe, uid)

    def create(self, spec: MachineSpec) -> MachineStatus | Wait:
        return self._session.change(_call("create", spec.uid), machines.create, spec)

    def update(self, spec: MachineSpec) -> MachineStatus | Wait:
        return self._session.change(_call("update", spec.uid), machines.update, spec)

    def delete(self, uid: UUID) -> Wait | None:
        return self._session.change(_call("delete", uid), machines.delete, uid)

    def list(self) -> Iterable[MachineStatus]:
        return self._session.read(_call("list"), machine_table.list_all)

    def list_foreign(self, limit: int) -> Iterable[ForeignObject]:
        return self._session.read(_call("list_foreign"), machine_table.list_foreign, limit)

    def list_images(self, limit: int) -> Iterable[AvailableImage] | None:
        return self._session.read(_call("list_images"), volumes.list_images, limit)

    def reboot(self, uid: UUID) -> None:
        self._session.change(_call("reboot", uid), machines.reboot, uid)

    def resize(self, spec: MachineSpec) -> MachineStatus | Wait:
        return self._session.change(_call("resize", spec.uid), machines.resize, spec)

    def console_log(self, uid: UUID) -> str:
        return self._session.read(_call("console_log", uid), console.console_log, uid)


def _call(verb: str, uid: UUID | None = None) -> Call:
    return Call(kind=Kind.MACHINE, verb=verb, uid=uid)
