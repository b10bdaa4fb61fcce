# SPDX-License-Identifier: Apache-2.0
"""Virtual machines: a flavor, something to boot from, networks and volumes of the same cluster."""

import hashlib
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from stratoplane.drivers import Feature, Interface
from stratoplane.errors import InUseError, ResourceNotFoundError
from stratoplane.quota import Amount, QuotaKey
from stratoplane.resources import PowerState, ResourceStatus
from stratoplane_engine.kinds.draft import (
    Draft,
    Gathered,
    Json,
    Kind,
    Link,
    References,
    ResourceSnapshot,
    Target,
    absent,
    image_reference,
    invalid,
)


def _references(body: Json, _present: Json | None) -> References:
    boot = body.get("boot_volume_id")
    return References(
        flavor=body.get("flavor") or "",
        image=body.get("image") or "",
        key_pair=body.get("key_pair") or "",
        cluster=body.get("cluster", ""),
        resource_ids=(*body.get("network_ids", ()), *body.get("volume_ids", ()), *([boot] if boot else [])),
    )


def _flavor(body: Json, gathered: Gathered) -> Json:
    if gathered.flavor is None:
        raise ResourceNotFoundError(f"flavor: there is no flavor {body['flavor']!r}; list the flavors")
    chosen = gathered.flavor
    sizes = {"vcpus": chosen["vcpus"], "memory_mib": chosen["memory_mib"], "disk_gib": chosen["disk_gib"]}
    return {"flavor_id": str(chosen["id"]), "flavor": chosen["name"], **sizes}


def _boot_source(body: Json, gathered: Gathered, disk_gib: int) -> Json:
    image, volume = body.get("image"), body.get("boot_volume_id")
    if bool(image) == bool(volume):
        raise invalid("/image", "name either an image or a boot_volume_id, not both and not neither")
    if volume:
        return {"image": None, "boot_volume_id": _one_form(volume, "volume", "/boot_volume_id")}
    if gathered.image is None:
        raise ResourceNotFoundError(f"image: there is no image {image!r}; list the images")
    if disk_gib < gathered.image["minimum_disk_gib"]:
        needed = f"image {gathered.image['name']} needs a disk of {gathered.image['minimum_disk_gib']} GiB"
        raise invalid("/flavor", f"{needed}; choose a larger flavor")
    return {"image": image_reference(gathered.image), "boot_volume_id": None}


def _one_form(identifier: str, kind: str, pointer: str) -> str:
    """Return an id in the form that the platform writes, whatever form of it the request has."""
    try:
        return str(UUID(identifier))
    except ValueError as error:
        raise absent(identifier, kind, pointer) from error


def _distinct(identifiers: Sequence[str], kind: str, member: str, *others: str | None) -> list[str]:
    found = [_one_form(each, kind, f"{member}/{at}") for at, each in enumerate(identifiers)]
    if len({*found, *others}) != len(found) + len(others):
        raise invalid(member, "the same id appears twice; name each once")
    return found


def _network(gathered: Gathered, identifier: UUID, pointer: str) -> Target:
    return gathered.target(identifier, "network", pointer)


def _volume(gathered: Gathered, identifier: UUID, pointer: str) -> Target:
    target = gathered.target(identifier, "volume", pointer)
    user = target.volume_user_id
    if user is not None and user != gathered.resource_id:
        detail = f"volume {target.name} is used by virtual machine {user}; detach it there first"
        raise InUseError(detail, used_by=[str(user)])
    return target


_LOOKED_UP: Final = {"interface": _network, "volume": _volume, "boot_volume": _volume}


def _uses(spec: Json) -> tuple[Link, ...]:
    boot = [spec["boot_volume_id"]] if spec["boot_volume_id"] else []
    return (
        *_links(spec["network_ids"], "interface", "/network_ids"),
        *_links(spec["volume_ids"], "volume", "/volume_ids"),
        *(Link(target_id=UUID(each), role="boot_volume", position=0, pointer="/boot_volume_id") for each in boot),
    )


def _links(identifiers: Sequence[str], role: str, member: str) -> list[Link]:
    return [
        Link(target_id=UUID(each), role=role, position=at, pointer=f"{member}/{at}")
        for at, each in enumerate(identifiers)
    ]


def _look_up(gathered: Gathered, links: Sequence[Link]) -> frozenset[UUID]:
    """Check that what is used from now on can be used; return the clusters that it is on."""
    targets = [_LOOKED_UP[link.role](gathered, link.target_id, link.pointer) for link in links]
    return frozenset(target.cluster_id for target in targets if target.cluster_id)


def _key(body: Json, gathered: Gathered) -> Json:
    if not body.get("key_pair"):
        return {"key_pair_id": None, "ssh_keys": []}
    if gathered.key_pair is None:
        raise ResourceNotFoundError(f"key_pair: this project has no key pair {body['key_pair']!r}; list its key pairs")
    return {"key_pair_id": str(gathered.key_pair.id), "ssh_keys": [gathered.key_pair.spec["public_key"]]}


def _quota_usage(spec: Json) -> Amount:
    root = 0 if spec["boot_volume_id"] else spec["disk_gib"]
    return {
        QuotaKey.VIRTUAL_MACHINES: 1,
        QuotaKey.VCPUS: spec["vcpus"],
        QuotaKey.MEMORY_MIB: spec["memory_mib"],
        QuotaKey.STORAGE_GIB: root,
    }


def _draft(body: Json, gathered: Gathered) -> Draft:
    sizes = _flavor(body, gathered)
    source = _boot_source(body, gathered, sizes["disk_gib"])
    spec = {
        **sizes,
        **source,
        **_key(body, gathered),
        "network_ids": _distinct(body.get("network_ids", ()), "network", "/network_ids"),
        "volume_ids": _distinct(body.get("volume_ids", ()), "volume", "/volume_ids", source["boot_volume_id"]),
        "user_data": body.get("user_data") or "",
        "power": body.get("power", PowerState.RUNNING.value),
    }
    return Draft(spec=spec, pinned=_look_up(gathered, _uses(spec)))


def _redraft(present: Json, patch: Json, gathered: Gathered) -> Draft:
    spec = {**present, "power": patch.get("power", present["power"])}
    features = frozenset[str]()
    if "flavor" in patch:
        sizes = _flavor(patch, gathered)
        if sizes["disk_gib"] < present["disk_gib"]:
            raise invalid(
                "/flavor", f"its disk of {sizes['disk_gib']} GiB is smaller than the machine's; disks only grow"
            )
        spec |= sizes
        features = frozenset({Feature.RESIZE.value}) if _size(spec) != _size(present) else features
    if "volume_ids" in patch:
        spec["volume_ids"] = _distinct(patch["volume_ids"], "volume", "/volume_ids", spec["boot_volume_id"])
    # What the machine uses already needs no second look: a lost network must not keep it from being stopped.
    kept = {link.target_id for link in _uses(present)}
    attached = [link for link in _uses(spec) if link.target_id not in kept]
    return Draft(spec=spec, pinned=_look_up(gathered, attached), features=features)


def _size(spec: Json) -> tuple[int, int, int]:
    return spec["vcpus"], spec["memory_mib"], spec["disk_gib"]


def mac_address(machine_id: UUID | str, network_id: UUID | str) -> str:
    """Return the card's address: locally administered and unicast (IEEE 802, bit 1 of the first octet), by hash.

    It follows from the two ids, so that every attempt at the same machine has the same card.
    """
    digest = hashlib.sha256(f"{machine_id}/{network_id}".encode()).digest()
    return ":".join(f"{octet:02x}" for octet in (0x02, *digest[:5]))


def _driver_spec(resource: ResourceSnapshot) -> Json:
    spec = resource.spec
    boot = [spec["boot_volume_id"]] if spec["boot_volume_id"] else []
    return {
        "uid": str(resource.id),
        "project_id": str(resource.project_id),
        "name": resource.name,
        "vcpus": spec["vcpus"],
        "memory_mib": spec["memory_mib"],
        "root_gib": spec["disk_gib"],
        "image": spec["image"],
        "interfaces": [
            {"network_uid": network, "mac": mac_address(resource.id, network)} for network in spec["network_ids"]
        ],
        "volume_uids": [*boot, *spec["volume_ids"]],
        "ssh_keys": spec["ssh_keys"],
        "user_data": spec["user_data"],
        "power": spec["power"],
    }


def _describe(spec: Json, observed: Json) -> Json:
    shown = ("flavor", "vcpus", "memory_mib", "disk_gib", "boot_volume_id", "key_pair_id", "network_ids", "volume_ids")
    addresses = [
        {"network_id": each["network_uid"], "mac": each["mac"], "address": each["address"]}
        for each in observed.get("addresses", ())
    ]
    return {
        **{key: spec[key] for key in shown},
        "image_id": spec["image"]["uid"] if spec["image"] else None,
        "image": spec["image"]["name"] if spec["image"] else None,
        "power": spec["power"],
        "addresses": addresses,
        "host": observed.get("host", ""),
    }


def _status(observed: Json) -> ResourceStatus:
    return ResourceStatus.RUNNING if observed.get("power") == PowerState.RUNNING else ResourceStatus.STOPPED


VIRTUAL_MACHINE: Final = Kind(
    name="virtual_machine",
    interface=Interface.COMPUTE,
    count=QuotaKey.VIRTUAL_MACHINES,
    changeable=frozenset({"power", "flavor", "volume_ids"}),
    references=_references,
    draft=_draft,
    redraft=_redraft,
    quota_usage=_quota_usage,
    uses=_uses,
    driver_spec=_driver_spec,
    describe=_describe,
    status=_status,
)
