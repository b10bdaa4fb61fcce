# SPDX-License-Identifier: Apache-2.0
"""Contracts of the Stratoplane platform between drivers, plugins, agents and the engine."""

from typing import Final

CONTRACT: Final = (1, 1)
"""Major and minor number of the driver contract; the registry refuses another major number."""
