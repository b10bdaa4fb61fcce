# SPDX-License-Identifier: Apache-2.0
"""The conformance kit: what a driver must do, as tests to inherit.

A driver's author writes, in a test file of the driver's own::

    from stratoplane.testing import StorageConformance


    class TestFolderStorage(StorageConformance):
        @pytest.fixture
        def driver(self, tmp_path):
            driver = FolderStorageDriver(FolderStorageDriver.Settings(folder=tmp_path), agent_context(tmp_path))
            driver.prepare()
            return driver

and gets the tests of every group. More fixtures, which the classes name, open more tests; what is skipped says why.
``stratoplane-conformance report`` runs them and prints the result on one page.
"""

import pytest

# Before the modules are imported, so that their failures show the values of both sides.
pytest.register_assert_rewrite(
    *(
        f"stratoplane.testing.{name}"
        for name in (
            "bench",
            "compute",
            "features",
            "kinds",
            "lifecycle",
            "network",
            "parts",
            "shape",
            "storage",
            "trouble",
        )
    )
)

from stratoplane.testing.bench import Interruption, Workbench, agent_context  # noqa: E402
from stratoplane.testing.compute import ComputeConformance  # noqa: E402
from stratoplane.testing.kinds import KindConformance  # noqa: E402
from stratoplane.testing.network import NetworkConformance  # noqa: E402
from stratoplane.testing.storage import BucketConformance, StorageConformance  # noqa: E402

__all__ = [
    "BucketConformance",
    "ComputeConformance",
    "Interruption",
    "KindConformance",
    "NetworkConformance",
    "StorageConformance",
    "Workbench",
    "agent_context",
]
