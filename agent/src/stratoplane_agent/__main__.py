# SPDX-License-Identifier: Apache-2.0
"""``python -m stratoplane_agent`` is the ``stratoplane-agent`` command."""

import sys

from stratoplane_agent.cli import main

if __name__ == "__main__":
    sys.exit(main())
