# SPDX-License-Identifier: Apache-2.0
"""How every test of the tree runs: how long one example takes says nothing on a machine that does other things too."""

from contextlib import suppress

with suppress(ImportError):
    from hypothesis import settings

    settings.register_profile("steady", deadline=None)
    settings.load_profile("steady")
