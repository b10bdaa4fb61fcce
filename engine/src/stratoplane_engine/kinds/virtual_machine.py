# SPDX-License-Identifier: Apache-2.0
"""Virtual machines: a flavor, something to boot from, networks and volumes of the same cluster."""

import hashlib
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from stratoplane.drivers import Feature, Interface
from stratoplane.errors import InUseError, ResourceNotFoundError
from stratoplane.quota import QuotaKey
from stratoplane.resources import PowerState, ResourceStatus
from stratoplane_engine.kinds.draft import (
    Described,
    Draft,
    Gathered,
    Json,
    Kind,
    Link,
    References,
    Target,
    image_reference,
    invalid,
)


def _references(body: Json, present: Json | None) -> References:
    volumes = body.get("volume_ids", present["volume_ids"] if present else [])
    boot = body.get("boot_volume_id") or (present or {}).get("boot_volume_id")
    networks = body.get("network_ids", (present or {}).get("network_ids", []))
    return References(
        flavor=body.get("flavor") or "",
        image=body.get("image") or "",
        key_pair=body.get("key_pair") or "",
        cluster=body.get("cluster", ""),
        resource_ids=(*networks, *volumes, *([boot] if boot else [])),
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
        return {"image": None, "boot_volume_id": volume}
    if gathered.image is None:
        raise ResourceNotFoundError(f"image: there is no image {image!r}; list the images")
    if disk_gib < gathered.image["minimum_disk_gib"]:
        needed = f"image {gathered.image['name']} needs a disk of {gathered.image['minimum_disk_gib']} GiB"
        raise invalid("/flavor", f"{needed}; choose a larger flavor")
    return {"image": image_reference(gathered.image), "boot_volume_id": None}


def _unrepeated(identifiers: Sequence[str], pointer: str) -> None:
    if len(set(identifiers)) != len(identifiers):
        raise invalid(pointer, "the same id appears twice; name each once")


def _volume(gathered: Gathered, identifier: str, pointer: str) -> Target:
    target = gathered.target(identifier, "volume", pointer)
    user = target.volume_user_id
    if user is not None and user != gathered.resource_id:
        detail = f"volume {target.name} is used by virtual machine {user}; detach it there first"
        raise InUseError(detail, used_by=[str(user)])
    return target


def _links(spec: Json, gathered: Gathered) -> tuple[tuple[Link, ...], frozenset[UUID]]:
    networks = [
        (gathered.target(each, "network", f"/network_ids/{at}"), "interface", at)
        for at, each in enumerate(spec["network_ids"])
    ]
    volumes = [
        (_volume(gathered, each, f"/volume_ids/{at}"), "volume", at) for at, each in enumerate(spec["volume_ids"])
    ]
    boot = spec["boot_volume_id"]
    boots = [(_volume(gathered, boot, "/boot_volume_id"), "boot_volume", 0)] if boot else []
    used = [*networks, *volumes, *boots]
    links = tuple(Link(target_id=target.id, role=role, position=at) for target, role, at in used)
    return links, frozenset(target.cluster_id for target, _, _ in used if target.cluster_id)


def _key(body: Json, gathered: Gathered) -> Json:
    if not body.get("key_pair"):
        return {"key_pair_id": None, "ssh_keys": []}
    if gathered.key_pair is None:
        raise ResourceNotFoundError(f"key_pair: this project has no key pair {body['key_pair']!r}; list its key pairs")
    return {"key_pair_id": str(gathered.key_pair.id), "ssh_keys": [gathered.key_pair.spec["public_key"]]}


def _holds(spec: Json) -> dict[QuotaKey, int]:
    root = 0 if spec["boot_volume_id"] else spec["disk_gib"]
    return {
        QuotaKey.VIRTUAL_MACHINES: 1,
        QuotaKey.VCPUS: spec["vcpus"],
        QuotaKey.MEMORY_MIB: spec["memory_mib"],
        QuotaKey.STORAGE_GIB: root,
    }


def _draft(body: Json, gathered: Gathered) -> Draft:
    sizes = _flavor(body, gathered)
    spec = {
        **sizes,
        **_boot_source(body, gathered, sizes["disk_gib"]),
        **_key(body, gathered),
        "network_ids": body.get("network_ids", []),
        "volume_ids": body.get("volume_ids", []),
        "user_data": body.get("user_data") or "",
        "power": body.get("power", PowerState.RUNNING.value),
    }
    _unrepeated(spec["network_ids"], "/network_ids")
    _unrepeated([*spec["volume_ids"], *filter(None, [spec["boot_volume_id"]])], "/volume_ids")
    links, pinned = _links(spec, gathered)
    return Draft(spec=spec, holds=_holds(spec), links=links, pinned=pinned)


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
    spec["volume_ids"] = patch.get("volume_ids", present["volume_ids"])
    _unrepeated([*spec["volume_ids"], *filter(None, [spec["boot_volume_id"]])], "/volume_ids")
    links, pinned = _links(spec, gathered)
    return Draft(spec=spec, holds=_holds(spec), links=links, pinned=pinned, features=features)


def _size(spec: Json) -> tuple[int, int, int]:
    return spec["vcpus"], spec["memory_mib"], spec["disk_gib"]


def mac_address(machine_id: UUID | str, network_id: UUID | str) -> str:
    """Return the card's address: locally administered and unicast (IEEE 802, bit 1 of the first octet), by hash.

    It follows from the two ids, so that every attempt at the same machine has the same card.
    """
    digest = hashlib.sha256(f"{machine_id}/{network_id}".encode()).digest()
    return ":".join(f"{octet:02x}" for octet in (0x02, *digest[:5]))


def _driver_spec(resource: Described) -> Json:
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
    driver_spec=_driver_spec,
    describe=_describe,
    status=_status,
)
