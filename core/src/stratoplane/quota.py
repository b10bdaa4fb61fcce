# SPDX-License-Identifier: Apache-2.0
"""Quota: what is counted, and the rule that decides whether a request fits."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

UNLIMITED: Final = -1
"""The limit that never refuses."""


class QuotaKey(StrEnum):
    """What a quota counts. Sizes carry their unit in the name."""

    VIRTUAL_MACHINES = "virtual_machines"
    VCPUS = "vcpus"
    MEMORY_MIB = "memory_mib"
    NETWORKS = "networks"
    VOLUMES = "volumes"
    STORAGE_GIB = "storage_gib"
    BUCKETS = "buckets"
    KEY_PAIRS = "key_pairs"


Amount = Mapping[str, int]
"""How much of each key a resource uses; missing keys count as zero. Plugins' kinds have keys of their own."""

DEFAULT_LIMITS: Final[Amount] = MappingProxyType(
    {
        QuotaKey.VIRTUAL_MACHINES: 100,
        QuotaKey.VCPUS: 200,
        QuotaKey.MEMORY_MIB: 512 * 1024,
        QuotaKey.NETWORKS: 20,
        QuotaKey.VOLUMES: 200,
        QuotaKey.STORAGE_GIB: 10_000,
        QuotaKey.BUCKETS: 50,
        QuotaKey.KEY_PAIRS: 100,
    }
)
"""Limits of a new organization; its projects are unlimited within it until an operator sets their limits."""


def fits(limit: int, used: int, wanted: int) -> bool:
    """Tell whether ``wanted`` more fit under ``limit`` when ``used`` are in use. A release always fits."""
    return wanted <= 0 or limit == UNLIMITED or used + wanted <= limit


def difference(before: Amount, after: Amount) -> Amount:
    """Return what must be reserved (positive) or released (negative) to go from ``before`` to ``after``."""
    keys = before.keys() | after.keys()
    return {key: change for key in sorted(keys) if (change := after.get(key, 0) - before.get(key, 0))}
