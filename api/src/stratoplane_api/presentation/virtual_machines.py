# SPDX-License-Identifier: Apache-2.0
"""Virtual machines in the form that the API shows."""

from collections.abc import Mapping
from typing import Final

from stratoplane_api.presentation.resources import resource
from stratoplane_engine.kinds.virtual_machine import VirtualMachineKind, VirtualMachineSpec
from stratoplane_engine.model.resource import Resource

_KIND: Final = VirtualMachineKind()


def virtual_machine(value: Resource[VirtualMachineSpec]) -> dict[str, object]:
    """Return the wire form of a virtual machine."""
    spec = value.spec
    own: dict[str, object] = {
        "flavor": spec.flavor,
        "vcpus": spec.vcpus,
        "memory_mib": spec.memory_mib,
        "disk_gib": spec.disk_gib,
        "boot_volume_id": spec.boot_volume_id,
        "key_pair_id": spec.key_pair_id,
        "network_ids": spec.network_ids,
        "volume_ids": spec.volume_ids,
        "image_id": spec.image.uid if spec.image else None,
        "image": spec.image.name if spec.image else None,
        "power": spec.power,
        "addresses": _addresses(value.observed.get("addresses")),
        "host": value.observed.get("host", ""),
    }
    return resource(_KIND, value, own)


def _addresses(observed: object) -> list[dict[str, object]]:
    return [_address(each) for each in observed] if isinstance(observed, list) else []


def _address(observed: Mapping[str, object]) -> dict[str, object]:
    return {"network_id": observed["network_uid"], "mac": observed["mac"], "address": observed["address"]}
