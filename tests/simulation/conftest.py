# SPDX-License-Identifier: Apache-2.0
"""Lets the tests import the simulation's modules, which are programs and no distribution."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
