# SPDX-License-Identifier: Apache-2.0
"""Virtual machines: a flavor, something to boot from, networks and volumes of the same cluster."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from stratoplane.compared_fields import ComparedField, Comparison, DriftPolicy
from stratoplane.compute import ImageReference, MachineInterface, MachineSpec
from stratoplane.drivers import Feature, Interface
from stratoplane.errors import InUseError, ResourceNotFoundError
from stratoplane.kinds import (
    Draft,
    FlavorReference,
    Kind,
    Link,
    Observed,
    Recovery,
    References,
    ResolvedReferences,
    ResourcePatch,
    ResourceRequest,
    ResourceSnapshot,
    Spec,
    Target,
    invalid,
)
from stratoplane.quota import DEFAULT_LIMITS, Amount, QuotaKey
from stratoplane.resources import PowerState, ResourceStatus
from stratoplane.spec_changes import Interruption, SpecChange
from stratoplane_engine.kinds.key_pair import KeyPairSpec
from stratoplane_engine.kinds.network import NetworkSpec, addresses

_CORRECTED: Final = (DriftPolicy.CORRECT, DriftPolicy.ALERT)
_ALERTED: Final = (DriftPolicy.ALERT,)


@dataclass(frozen=True, kw_only=True, slots=True)
class VirtualMachineSpec(Spec):
    """A machine as it should be.

    Attributes:
        flavor: name of the flavor at the time of the request; vcpus, memory and root disk are as it was then.
        image: what the root disk starts from, or
        boot_volume_id: the volume that it boots from instead.
        network_ids, volume_ids: in the guest's order; a boot volume is not among the volumes.
        ssh_keys: public keys for the guest's first user, as the key pair had them.
    """

    flavor_id: UUID
    flavor: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    image: ImageReference | None = None
    boot_volume_id: UUID | None = None
    key_pair_id: UUID | None = None
    ssh_keys: tuple[str, ...] = ()
    network_ids: tuple[UUID, ...] = ()
    volume_ids: tuple[UUID, ...] = ()
    user_data: str = ""
    power: PowerState = PowerState.RUNNING


@dataclass(frozen=True, kw_only=True, slots=True)
class VirtualMachineRequest(ResourceRequest):
    """A machine to make; flavor, image and key pair are named by id or name, with exactly one source to boot from."""

    flavor: str
    image: str = ""
    boot_volume_id: UUID | None = None
    network_ids: tuple[UUID, ...] = ()
    volume_ids: tuple[UUID, ...] = ()
    key_pair: str = ""
    user_data: str = ""
    power: PowerState = PowerState.RUNNING


@dataclass(frozen=True, kw_only=True, slots=True)
class VirtualMachinePatch(ResourcePatch):
    """What may change of a machine; ``volume_ids`` are all that it shall have, others are detached."""

    power: PowerState | None = None
    flavor: str | None = None
    volume_ids: tuple[UUID, ...] | None = None


def _starts(_before: VirtualMachineSpec, after: VirtualMachineSpec) -> bool:
    return after.power is PowerState.RUNNING


def _stops(_before: VirtualMachineSpec, after: VirtualMachineSpec) -> bool:
    return after.power is PowerState.STOPPED


def _has_other_size(before: VirtualMachineSpec, after: VirtualMachineSpec) -> bool:
    return _size(before) != _size(after)


def _has_same_size(before: VirtualMachineSpec, after: VirtualMachineSpec) -> bool:
    return _size(before) == _size(after)


def _attaches(before: VirtualMachineSpec, after: VirtualMachineSpec) -> bool:
    return not set(after.volume_ids) <= set(before.volume_ids)


def _detaches(before: VirtualMachineSpec, after: VirtualMachineSpec) -> bool:
    return not set(before.volume_ids) <= set(after.volume_ids)


def _reorders(before: VirtualMachineSpec, after: VirtualMachineSpec) -> bool:
    return set(before.volume_ids) == set(after.volume_ids)


_FLAVOR: Final = ("flavor_id", "flavor", "vcpus", "memory_mib", "disk_gib")


class VirtualMachineKind(Kind[VirtualMachineSpec, VirtualMachineRequest, VirtualMachinePatch]):
    """Virtual machines."""

    name = "virtual_machine"
    interface = Interface.COMPUTE
    quota_key = QuotaKey.VIRTUAL_MACHINES
    default_limit = DEFAULT_LIMITS[QuotaKey.VIRTUAL_MACHINES]
    spec = VirtualMachineSpec
    request = VirtualMachineRequest
    patch = VirtualMachinePatch
    stable = (ResourceStatus.RUNNING, ResourceStatus.STOPPED)
    compared = (
        ComparedField(name="power", policies=(DriftPolicy.CORRECT, DriftPolicy.ADOPT, DriftPolicy.ALERT)),
        ComparedField(name="name", policies=_CORRECTED, comparison=Comparison.NAME),
        ComparedField(name="vcpus", policies=_ALERTED, asked_by="flavor"),
        ComparedField(name="memory_mib", policies=_ALERTED, asked_by="flavor"),
        ComparedField(
            name="volumes", policies=_CORRECTED, comparison=Comparison.ATTACHED_VOLUMES, asked_by="volume_ids"
        ),
    )

    changes = (
        SpecChange(verb="start", members=("power",), applies=_starts),
        SpecChange(verb="stop", members=("power",), applies=_stops, interruption=Interruption.STOP),
        SpecChange(
            verb="resize",
            members=_FLAVOR,
            applies=_has_other_size,
            driver_verb="resize",
            interruption=Interruption.RESTART,
            live=Feature.LIVE_RESIZE,
        ),
        SpecChange(verb="set_flavor", members=_FLAVOR, applies=_has_same_size),
        SpecChange(verb="attach_volume", members=("volume_ids",), applies=_attaches),
        SpecChange(verb="detach_volume", members=("volume_ids",), applies=_detaches),
        SpecChange(verb="reorder_volumes", members=("volume_ids",), applies=_reorders),
    )

    def references(self, wanted: VirtualMachineRequest | VirtualMachinePatch) -> References:
        if isinstance(wanted, VirtualMachinePatch):
            return References(flavor=wanted.flavor or "", resource_ids=wanted.volume_ids or ())
        boot = () if wanted.boot_volume_id is None else (wanted.boot_volume_id,)
        return References(
            flavor=wanted.flavor,
            image=wanted.image,
            key_pair=wanted.key_pair,
            cluster=wanted.cluster,
            resource_ids=(*wanted.network_ids, *wanted.volume_ids, *boot),
        )

    def draft(self, wanted: VirtualMachineRequest, found: ResolvedReferences) -> Draft[VirtualMachineSpec]:
        flavor = _flavor(wanted.flavor, found)
        key_pair_id, ssh_keys = _key(wanted.key_pair, found)
        spec = VirtualMachineSpec(
            flavor_id=flavor.id,
            flavor=flavor.name,
            vcpus=flavor.vcpus,
            memory_mib=flavor.memory_mib,
            disk_gib=flavor.disk_gib,
            image=_image(wanted, found, flavor.disk_gib),
            boot_volume_id=wanted.boot_volume_id,
            key_pair_id=key_pair_id,
            ssh_keys=ssh_keys,
            network_ids=_distinct(wanted.network_ids, "/network_ids"),
            volume_ids=_distinct(wanted.volume_ids, "/volume_ids", wanted.boot_volume_id),
            user_data=wanted.user_data,
            power=wanted.power,
        )
        return Draft(spec=spec, pinned=_clusters_of(found, self.uses(spec)))

    def redraft(
        self, present: VirtualMachineSpec, change: VirtualMachinePatch, found: ResolvedReferences
    ) -> Draft[VirtualMachineSpec]:
        spec = replace(present, power=change.power or present.power)
        if change.flavor is not None:
            spec = _resized(spec, _flavor(change.flavor, found))
        if change.volume_ids is not None:
            attached = _distinct(change.volume_ids, "/volume_ids", spec.boot_volume_id)
            spec = replace(spec, volume_ids=attached)
        # What the machine uses already needs no second look: a lost network must not keep it from being stopped.
        kept = {link.target_id for link in self.uses(present)}
        new = [link for link in self.uses(spec) if link.target_id not in kept]
        features = frozenset({Feature.RESIZE.value}) if _has_other_size(present, spec) else frozenset[str]()
        return Draft(spec=spec, pinned=_clusters_of(found, new), features=features)

    def quota_usage(self, spec: VirtualMachineSpec) -> Amount:
        return {
            QuotaKey.VIRTUAL_MACHINES: 1,
            QuotaKey.VCPUS: spec.vcpus,
            QuotaKey.MEMORY_MIB: spec.memory_mib,
            QuotaKey.STORAGE_GIB: 0 if spec.boot_volume_id else spec.disk_gib,
        }

    def uses(self, spec: VirtualMachineSpec) -> tuple[Link, ...]:
        boot = () if spec.boot_volume_id is None else (spec.boot_volume_id,)
        return (
            *_links(spec.network_ids, "interface", "/network_ids"),
            *_links(spec.volume_ids, "volume", "/volume_ids"),
            *(Link(target_id=each, role="boot_volume", position=0, pointer="/boot_volume_id") for each in boot),
        )

    def driver_spec(self, resource: ResourceSnapshot[VirtualMachineSpec]) -> MachineSpec:
        spec = resource.spec
        boot = () if spec.boot_volume_id is None else (spec.boot_volume_id,)
        return MachineSpec(
            uid=resource.id,
            project_id=resource.project_id,
            name=resource.name,
            vcpus=spec.vcpus,
            memory_mib=spec.memory_mib,
            root_gib=spec.disk_gib,
            image=spec.image,
            interfaces=tuple(
                MachineInterface(network_uid=network, mac=mac_address(resource.id, network))
                for network in spec.network_ids
            ),
            volume_uids=(*boot, *spec.volume_ids),
            ssh_keys=spec.ssh_keys,
            user_data=spec.user_data,
            power=spec.power,
        )

    def recovered(self, observed: Observed, wanted: Recovery) -> VirtualMachineRequest:
        if not wanted.flavor:
            raise invalid("/flavor", "no driver shows the size of a root disk; name the flavor that the machine has")
        volumes = [str(each) for each in observed["volume_uids"]]  # type: ignore[attr-defined]  # TypeError: not shown
        boot = None if wanted.image or not volumes else volumes.pop(0)
        return self.read_request(
            {
                "name": wanted.name,
                "cluster": wanted.cluster,
                "flavor": wanted.flavor,
                "image": wanted.image,
                "boot_volume_id": boot,
                "network_ids": _networks_of(observed),
                "volume_ids": volumes,
                "power": observed["power"],
            }
        )

    def status(self, observed: Observed) -> ResourceStatus:
        return ResourceStatus.RUNNING if observed.get("power") == PowerState.RUNNING else ResourceStatus.STOPPED

    def runs(self, spec: VirtualMachineSpec, status: ResourceStatus) -> bool:
        return status is ResourceStatus.RUNNING if status in self.stable else spec.power is PowerState.RUNNING


def mac_address(machine_id: UUID, network_id: UUID) -> str:
    """Return the card's address: locally administered and unicast (IEEE 802, bit 1 of the first octet), by hash.

    It follows from the two ids, so that every attempt at the same machine has the same card.
    """
    digest = hashlib.sha256(f"{machine_id}/{network_id}".encode()).digest()
    return ":".join(f"{octet:02x}" for octet in (0x02, *digest[:5]))


def _networks_of(observed: Observed) -> list[str]:
    """Return the networks that a machine has addresses on, in the order of its cards, each once."""
    cards = [each["network_uid"] for each in observed["addresses"]]  # type: ignore[attr-defined]  # TypeError: not shown
    return list(dict.fromkeys(cards))


def _flavor(wanted: str, found: ResolvedReferences) -> FlavorReference:
    if found.flavor is None:
        raise ResourceNotFoundError(f"flavor: there is no flavor {wanted!r}; list the flavors")
    return found.flavor


def _resized(present: VirtualMachineSpec, flavor: FlavorReference) -> VirtualMachineSpec:
    if flavor.disk_gib < present.disk_gib:
        shrunk = f"the flavor's disk of {flavor.disk_gib} GiB is smaller than the machine's {present.disk_gib} GiB"
        raise invalid("/flavor", f"{shrunk}; disks only grow")
    return replace(
        present,
        flavor_id=flavor.id,
        flavor=flavor.name,
        vcpus=flavor.vcpus,
        memory_mib=flavor.memory_mib,
        disk_gib=flavor.disk_gib,
    )


def _size(spec: VirtualMachineSpec) -> tuple[int, int, int]:
    return spec.vcpus, spec.memory_mib, spec.disk_gib


def _image(wanted: VirtualMachineRequest, found: ResolvedReferences, disk_gib: int) -> ImageReference | None:
    if bool(wanted.image) == (wanted.boot_volume_id is not None):
        raise invalid("/image", "specify exactly one of image and boot_volume_id")
    if wanted.boot_volume_id is not None:
        return None
    if found.image is None:
        raise ResourceNotFoundError(f"image: there is no image {wanted.image!r}; list the images")
    if disk_gib < found.image.minimum_disk_gib:
        needed = f"image {found.image.reference.name} needs a disk of {found.image.minimum_disk_gib} GiB"
        raise invalid("/flavor", f"{needed}; choose a larger flavor")
    return found.image.reference


def _key(wanted: str, found: ResolvedReferences) -> tuple[UUID | None, tuple[str, ...]]:
    """Return the key pair's id and the keys that the guest lets in."""
    if not wanted:
        return None, ()
    if found.key_pair is None or not isinstance(found.key_pair.spec, KeyPairSpec):
        raise ResourceNotFoundError(f"key_pair: this project has no key pair {wanted!r}; list its key pairs")
    return found.key_pair.id, (found.key_pair.spec.public_key,)


def _distinct(identifiers: tuple[UUID, ...], member: str, *others: UUID | None) -> tuple[UUID, ...]:
    if len({*identifiers, *others}) != len(identifiers) + len(others):
        raise invalid(member, "the same id appears twice; name each once")
    return identifiers


def _links(identifiers: tuple[UUID, ...], role: str, member: str) -> list[Link]:
    return [
        Link(target_id=each, role=role, position=at, pointer=f"{member}/{at}") for at, each in enumerate(identifiers)
    ]


def _clusters_of(found: ResolvedReferences, links: Iterable[Link]) -> frozenset[UUID]:
    """Check that what is used from now on can be used; return the clusters that it is on."""
    targets = [_network(found, link) if link.role == "interface" else _volume(found, link) for link in links]
    return frozenset(target.cluster_id for target in targets if target.cluster_id)


def _network(found: ResolvedReferences, link: Link) -> Target:
    target = found.target(link.target_id, "network", link.pointer)
    if isinstance(target.spec, NetworkSpec) and target.cards >= (most := addresses(target.spec.cidr)):
        full = f"network {target.name} has no address left, {target.cards} of {most} are used"
        raise invalid(link.pointer, f"{full}; delete a machine that is on it, or choose another network")
    return target


def _volume(found: ResolvedReferences, link: Link) -> Target:
    target = found.target(link.target_id, "volume", link.pointer)
    if target.user_id is not None and target.user_id != found.resource_id:
        detail = f"volume {target.name} is used by virtual machine {target.user_id}; detach it there first"
        raise InUseError(detail, used_by=[str(target.user_id)])
    return target
