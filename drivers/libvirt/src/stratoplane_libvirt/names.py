# SPDX-License-Identifier: Apache-2.0
"""The names of our objects at libvirt, and the uids of such names.

Names are made from ids only, never from a tenant's input. Volumes of a pool cannot carry a mark, so their
names carry the installation.
"""

from typing import Final
from uuid import UUID, uuid5

METADATA_NAMESPACE: Final = "urn:stratoplane:libvirt:1"
CONSOLE_POOL: Final = "stratoplane-console"

_PREFIX: Final = "stratoplane-"


def domain_name(uid: UUID) -> str:
    return f"{_PREFIX}{uid}"


def network_name(uid: UUID) -> str:
    return f"{_PREFIX}{uid}"


def network_uid(name: str) -> UUID | None:
    """Return the uid of one of our networks by its name, None for a foreign network."""
    return _uid_between(name, _PREFIX, "")


def bridge_name(uid: UUID) -> str:
    """Return a device name of at most 15 bytes from the random end of ``uid``."""
    return f"sp{uid.hex[-12:]}"


def volume_name(installation_id: UUID, uid: UUID) -> str:
    return f"{_volume_prefix(installation_id, 'volume')}{uid}.qcow2"


def volume_uid(installation_id: UUID, name: str) -> UUID | None:
    """Return the uid of a tenant's volume by its name, None for any other file in the pool."""
    return _uid_between(name, _volume_prefix(installation_id, "volume"), ".qcow2")


def is_foreign_volume(installation_id: UUID, name: str) -> bool:
    """Tell whether a file in the pool belongs neither to this installation nor to the shared images."""
    return not name.startswith((f"{_PREFIX}{installation_id.hex[-12:]}-", f"{_PREFIX}image-"))


def foreign_uid(pool: UUID, name: str) -> UUID:
    """Return an id for a volume that is known by its name only; it stays the same (RFC 9562, version 5)."""
    return uuid5(pool, name)


def root_disk_name(installation_id: UUID, machine_uid: UUID) -> str:
    return f"{_volume_prefix(installation_id, 'root')}{machine_uid}.qcow2"


def seed_name(installation_id: UUID, machine_uid: UUID) -> str:
    return f"{_volume_prefix(installation_id, 'seed')}{machine_uid}.iso"


def console_name(machine_uid: UUID) -> str:
    return f"{_PREFIX}{machine_uid}.log"


def image_name(image_uid: UUID, image_format: str) -> str:
    return f"{_PREFIX}image-{image_uid}.{image_format}"


def image_mark_name(image_uid: UUID) -> str:
    """Return the name of the empty volume that marks the image's copy as complete."""
    return f"{_PREFIX}image-{image_uid}.complete"


def copied_image(name: str) -> UUID | None:
    """Return our id of the image that has a complete copy in the pool, by the name of its mark."""
    return _uid_between(name, f"{_PREFIX}image-", ".complete")


def probe_name(installation_id: UUID) -> str:
    return f"{_PREFIX}{installation_id.hex[-12:]}-probe"


def _volume_prefix(installation_id: UUID, kind: str) -> str:
    return f"{_PREFIX}{installation_id.hex[-12:]}-{kind}-"


def _uid_between(name: str, prefix: str, suffix: str) -> UUID | None:
    if not (name.startswith(prefix) and name.endswith(suffix)):
        return None
    try:
        return UUID(name.removeprefix(prefix).removesuffix(suffix))
    except ValueError:
        return None
