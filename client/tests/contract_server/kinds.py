# SPDX-License-Identifier: Apache-2.0
"""The kinds of resources, and the steps of their jobs by the job's kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from client.tests.contract_server.document import Json


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
_CHANGES: Final[Mapping[str, tuple[str, ...]]] = {
    "virtual_machine": (
        *("rename", "start", "stop", "resize", "set_flavor", "attach_volume", "detach_volume", "reorder_volumes"),
    ),
    "network": ("rename",),
    "volume": ("rename", "resize"),
    "bucket": ("rename",),
}
STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    **{f"{kind}.create": _CREATE for kind in _CHANGES},
    **{f"{kind}.{verb}": ("await_targets", verb) for kind, verbs in _CHANGES.items() for verb in (*verbs, "correct")},
    **{f"{kind}.update": ("await_targets", "apply") for kind in _CHANGES},
    **{f"{kind}.delete": ("remove",) for kind in _CHANGES},
    **{f"{kind}.clear": ("remove",) for kind in _CHANGES},
    **{f"{kind}.recover": ("await_targets", "find", "apply") for kind in _CHANGES},
    "virtual_machine.update": ("await_targets", "resize", "apply"),
    "virtual_machine.reboot": ("reboot",),
    "virtual_machine.read_console": ("read",),
    "network.adopt": ("take",),
    "volume.adopt": ("take",),
}
"""The platform's jobs, each with the steps of one that does what it is called; a test of the whole tree compares."""

INTERRUPTIONS: Final = {
    "virtual_machine.stop": "STOP",
    "virtual_machine.resize": "RESTART",
    "virtual_machine.reboot": "RESTART",
}
EFFECTS: Final[Mapping[str | None, str]] = {
    "STOP": "the running virtual machine is stopped",
    "RESTART": "the running virtual machine is stopped and started again",
}


def verb_of(before: Json, wanted: Json) -> str:
    """Return what a change's job is called behind the kind's name; ``wanted`` are its members."""
    differing = {name for name, value in wanted.items() if before.get(name) != value} - {"labels"}
    if len(differing) != 1:
        return "update"
    (member,) = differing
    if member == "power":
        return "start" if wanted["power"] == "RUNNING" else "stop"
    if member == "volume_ids":
        return "attach_volume" if set(wanted[member]) > set(before[member]) else "detach_volume"
    return {"name": "rename", "flavor": "resize", "size_gib": "resize"}.get(member, "update")
