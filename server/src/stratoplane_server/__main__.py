# SPDX-License-Identifier: Apache-2.0
"""``python -m stratoplane_server`` is the ``stratoplane-server`` command."""

from stratoplane_server.cli import main

if __name__ == "__main__":
    main()
