# SPDX-License-Identifier: Apache-2.0
"""Imported by every Python process of the tree before anything else, because its folder is on PYTHONPATH.

It tells the database which process writes, and replaces the rule that a mutation names; the product has no switch.
"""

import os

os.environ["PGOPTIONS"] = f"-c stratoplane_chaos.process={os.getpid()}"

if os.environ.get("STRATOPLANE_CHAOS_MUTATION"):
    import stratoplane_chaos_mutation  # type: ignore[import-not-found]  # found where this file is

    stratoplane_chaos_mutation.apply(os.environ["STRATOPLANE_CHAOS_MUTATION"].split(","))
