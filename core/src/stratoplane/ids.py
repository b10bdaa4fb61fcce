# SPDX-License-Identifier: Apache-2.0
"""Identifiers and names: UUIDv7 ids, name and label rules."""

import os
import threading
import time
from typing import Final
from uuid import UUID

NAME_PATTERN: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
"""Names of tenants' objects: 1 to 63 of ``[a-z0-9-]``, neither first nor last a hyphen (RFC 1123 label)."""

_lock = threading.Lock()
_last = 0


def new_id() -> UUID:
    """Return a new UUIDv7 (RFC 9562, section 5.7): ordered by time, so that it serves as a paging key.

    Ids of one process never go back, even within a millisecond: the 12 bits after the version hold the
    sub-millisecond fraction (method 3 of section 6.2).
    """
    global _last  # noqa: PLW0603  # the order of ids is a property of the process
    with _lock:
        ticks = max(time.time_ns() * 4096 // 1_000_000, _last + 1)
        _last = ticks
    milliseconds, fraction = divmod(ticks, 4096)
    random = int.from_bytes(os.urandom(8), "big") >> 2
    return UUID(int=(milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random)
