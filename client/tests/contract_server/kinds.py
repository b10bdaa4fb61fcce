# SPDX-License-Identifier: Apache-2.0
"""The kinds of resources, and the steps of their jobs by the job's kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of resource.

    Attributes:
        member: its name in the API's answers.
        schema: of one resource in the document.
        quota: the key that counts it.
        ready: its status when its creation has succeeded.
    """

    member: str
    schema: str
    quota: str
    ready: str = "ACTIVE"


KINDS: Final[Mapping[str, Kind]] = {
    "virtual-machines": Kind(
        member="virtual_machine", schema="VirtualMachine", quota="virtual_machines", ready="RUNNING"
    ),
    "networks": Kind(member="network", schema="Network", quota="networks"),
    "volumes": Kind(member="volume", schema="Volume", quota="volumes"),
    "buckets": Kind(member="bucket", schema="Bucket", quota="buckets"),
    "key-pairs": Kind(member="key_pair", schema="KeyPair", quota="key_pairs"),
}

_CREATE: Final = ("await_targets", "provision")
_UPDATE: Final = ("await_targets", "apply")
STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "virtual_machine.clear": ("remove",),
    "virtual_machine.recover": ("await_targets", "find", "apply"),
    "virtual_machine.create": _CREATE,
    "virtual_machine.update": ("await_targets", "resize", "apply"),
    "virtual_machine.delete": ("remove",),
    "virtual_machine.reboot": ("reboot",),
    "virtual_machine.read_console": ("read",),
    "network.clear": ("remove",),
    "network.recover": ("await_targets", "find", "apply"),
    "network.create": _CREATE,
    "network.update": _UPDATE,
    "network.delete": ("remove",),
    "network.adopt": ("take",),
    "volume.clear": ("remove",),
    "volume.recover": ("await_targets", "find", "apply"),
    "volume.create": _CREATE,
    "volume.update": _UPDATE,
    "volume.delete": ("remove",),
    "volume.adopt": ("take",),
    "bucket.clear": ("remove",),
    "bucket.recover": ("await_targets", "find", "apply"),
    "bucket.create": _CREATE,
    "bucket.update": _UPDATE,
    "bucket.delete": ("remove",),
}
"""Exactly the platform's workflows; a test of the whole tree compares them."""
