# SPDX-License-Identifier: Apache-2.0
"""Every kind by its name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from stratoplane_engine.kinds.bucket import BUCKET
from stratoplane_engine.kinds.draft import Kind
from stratoplane_engine.kinds.key_pair import KEY_PAIR
from stratoplane_engine.kinds.network import NETWORK
from stratoplane_engine.kinds.virtual_machine import VIRTUAL_MACHINE
from stratoplane_engine.kinds.volume import VOLUME

KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {kind.name: kind for kind in (VIRTUAL_MACHINE, NETWORK, VOLUME, BUCKET, KEY_PAIR)}
)
