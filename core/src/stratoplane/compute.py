# SPDX-License-Identifier: Apache-2.0
"""The contract of compute drivers: virtual machines."""

import abc
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final
from uuid import UUID

from stratoplane.drivers import Ability, AvailableImage, Driver, Feature, Interface
from stratoplane.jobs import Wait
from stratoplane.resources import PowerState

LARGEST_USER_DATA: Final = 64 * 1024
"""Bytes of user data in UTF-8, which is what reaches the guest; the API refuses more, and so does every driver."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageReference:
    """An image to start from.

    Attributes:
        uid: our id of the image; drivers name their cached copy by it.
        name: for people and logs.
        source: where the cluster finds it: a file name in the driver's image folder, or the provider's own id.
        format: ``qcow2`` or ``raw``, as declared; a driver refuses what turns out to be something else.
        sha256: hexadecimal digest of the file, empty when it is not known.
    """

    uid: UUID
    name: str
    source: str
    format: str = "qcow2"
    sha256: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineInterface:
    """One network card of a machine.

    Attributes:
        network_uid: our id of the network, made before by the network driver of the same cluster.
        mac: the card's address, chosen by the platform (``02:...``, locally administered), unique in the network.
    """

    network_uid: UUID
    mac: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineSpec:
    """A machine as it should be.

    Attributes:
        uid: our id and the machine's identity at the provider.
        project_id: owner; part of the mark at the provider.
        name: host name and name for people; it may change and repeat, so it is never an identity.
        memory_mib: memory in MiB.
        root_gib: size of the root disk in GiB, at least the image's.
        image: what the root disk starts from; None when the first of ``volume_uids`` is the boot disk.
        interfaces: network cards in the guest's order.
        volume_uids: data volumes in the guest's order.
        ssh_keys: public keys for the guest's first user.
        user_data: cloud-init user data, opaque; at most :data:`LARGEST_USER_DATA` bytes in UTF-8.
        power: whether it should run.
    """

    uid: UUID
    project_id: UUID
    name: str
    vcpus: int
    memory_mib: int
    root_gib: int
    image: ImageReference | None = None
    interfaces: tuple[MachineInterface, ...] = ()
    volume_uids: tuple[UUID, ...] = ()
    ssh_keys: tuple[str, ...] = ()
    user_data: str = ""
    power: PowerState = PowerState.RUNNING


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineAddress:
    """An address of a machine: on which network, by which card, and the IP address as text."""

    network_uid: UUID
    mac: str
    address: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineStatus:
    """A machine as it is.

    Attributes:
        uid: our id.
        provider_reference: the provider's own id, for operators who look there.
        host: the host it is on, empty if the provider has no such notion.
        private: the driver's own JSON values; stored by the platform and never read.
    """

    uid: UUID
    name: str
    vcpus: int
    memory_mib: int
    power: PowerState
    addresses: tuple[MachineAddress, ...] = ()
    volume_uids: tuple[UUID, ...] = ()
    provider_reference: str = ""
    host: str = ""
    private: Mapping[str, object] = field(default_factory=dict)

    def drift(self, spec: MachineSpec) -> frozenset[str]:
        """Return the names of the fields in which this machine differs from ``spec``."""
        pairs = {
            "name": (self.name, spec.name),
            "vcpus": (self.vcpus, spec.vcpus),
            "memory_mib": (self.memory_mib, spec.memory_mib),
            "power": (self.power, spec.power),
            "volume_uids": (frozenset(self.volume_uids), frozenset(spec.volume_uids)),
        }
        return frozenset(name for name, (observed, desired) in pairs.items() if observed != desired)


class ComputeDriver(Driver):
    """Manages virtual machines. Every verb is idempotent and may be called again after any interruption."""

    interface = Interface.COMPUTE

    @abc.abstractmethod
    def observe(self, uid: UUID) -> MachineStatus | None:
        """Return the machine as it is now, or None if it does not exist.

        Called after lost answers and on request. It must ask the provider, never a cache.

        Raises:
            TransientError: the engine asks again later.
        """

    @abc.abstractmethod
    def create(self, spec: MachineSpec) -> MachineStatus | Wait:
        """Create the machine with ``spec.uid`` as its identity, or continue where an earlier call was interrupted.

        A machine with this uid and the same shape is returned, so that N calls create one machine.

        Returns:
            The status when the machine is as desired and its addresses are known; Wait while it is in progress.

        Raises:
            ConflictError: a machine with this uid but another shape exists; the job stops.
            NotFoundError: image, network or volume does not exist at the provider; the job stops.
            CapacityError: not enough capacity; the job stops.
            TransientError: nothing took effect; the engine repeats the call.
            UncertainError: it may have taken effect; the engine observes before it calls again.
        """

    @abc.abstractmethod
    def update(self, spec: MachineSpec) -> MachineStatus | Wait:
        """Bring name, power and volumes of the existing machine to ``spec``. The size is changed by :class:`ResizeOps`.

        Returns and raises as :meth:`create`; NotFoundError if the machine does not exist.
        """

    @abc.abstractmethod
    def delete(self, uid: UUID) -> Wait | None:
        """Remove the machine, its root disk and everything created for it alone; volumes stay.

        Absent is success. Returns None when nothing is left, Wait while it is in progress. Raises as :meth:`create`.
        """

    @abc.abstractmethod
    def list(self) -> Iterable[MachineStatus]:
        """Return every machine that carries this installation's mark, for the inventory, which finds orphans."""


class ImageOps(Ability):
    """The ability to tell which images there are, of compute drivers for root disks and storage drivers for volumes.

    The platform places nothing on a cluster that lacks its image; where a driver does not tell, any may be there.
    """

    feature: ClassVar = Feature.IMAGES

    @abc.abstractmethod
    def list_images(self, limit: int) -> Iterable[AvailableImage] | None:
        """Return up to ``limit`` images that objects can be made from at present, in a stable order.

        What is listed can be used, and what is not listed is refused by ``create`` with NotFoundError. Called about
        every minute; nothing is changed.

        Returns:
            The images, or None when any image may be there: the same as not having the ability.

        Raises:
            TransientError: the agent asks again later; the last list stays valid.
        """


class RebootOps(Ability):
    """The ability to restart a running machine."""

    feature: ClassVar = Feature.REBOOT

    @abc.abstractmethod
    def reboot(self, uid: UUID) -> Wait | None:
        """Restart the machine's guest. Not idempotent: a lost answer may cause a second restart.

        Raises NotFoundError if it is absent, ConflictError if it is stopped.
        """


class ResizeOps(Ability):
    """The ability to change processors, memory and root disk (grow only) of a machine."""

    feature: ClassVar = Feature.RESIZE

    @abc.abstractmethod
    def resize(self, spec: MachineSpec) -> MachineStatus | Wait:
        """Bring vcpus, memory_mib and root_gib to ``spec``; a driver that must stop the machine for it starts it again.

        Returns and raises as :meth:`ComputeDriver.update`.
        """


class LiveResizeOps(ResizeOps):
    """The promise that :meth:`resize` leaves a running machine running, whatever it changes.

    Without it people are told, before they resize a running machine, that it is stopped and started again.
    """

    feature: ClassVar = Feature.LIVE_RESIZE


class ConsoleOps(Ability):
    """The ability to return what the machine wrote to its serial console."""

    feature: ClassVar = Feature.CONSOLE_LOG

    @abc.abstractmethod
    def console_log(self, uid: UUID) -> str:
        """Return the last 64 KiB of the serial console. Raises NotFoundError if the machine is absent."""
