# SPDX-License-Identifier: Apache-2.0
"""``python -m stratoplane_mock``: see :mod:`stratoplane_mock.cli`."""

import sys

from stratoplane_mock.cli import main

if __name__ == "__main__":
    sys.exit(main())
