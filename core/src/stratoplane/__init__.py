# SPDX-License-Identifier: Apache-2.0
"""Contracts of the Stratoplane platform: what drivers, plugins, agents and the engine agree on."""

from typing import Final

CONTRACT: Final = (1, 0)
"""Major and minor number of the driver contract; another major is refused by the registry."""
