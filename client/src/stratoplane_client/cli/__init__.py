# SPDX-License-Identifier: Apache-2.0
"""The ``stratoplane`` command. Nothing here or in :mod:`.root` loads HTTP, YAML or a progress bar: help stays fast."""

import sys
from collections.abc import Sequence

from stratoplane_client.cli.failures import run
from stratoplane_client.cli.root import root


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with ``arguments``, those of the process by default, and end with its exit code."""
    sys.exit(run(root, sys.argv[1:] if arguments is None else arguments))
