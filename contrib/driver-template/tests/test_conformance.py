# SPDX-License-Identifier: Apache-2.0
"""The driver does what drivers must do."""

from pathlib import Path

import pytest

from stratoplane.testing import StorageConformance, agent_context
from stratoplane_example.settings import ExampleSettings
from stratoplane_example.storage import ExampleStorageDriver


class TestExampleStorage(StorageConformance):
    @pytest.fixture
    def driver(self, tmp_path: Path) -> ExampleStorageDriver:
        driver = driver_of(tmp_path, "volumes")
        driver.settings.folder.mkdir()
        driver.prepare()
        return driver

    @pytest.fixture
    def unreachable_driver(self, tmp_path: Path) -> ExampleStorageDriver:
        """A driver whose folder, a network share perhaps, is not there."""
        return driver_of(tmp_path, "away")

    @pytest.fixture
    def misconfigured_driver(self, tmp_path: Path) -> ExampleStorageDriver:
        """A driver whose folder is a file."""
        (tmp_path / "file").touch()
        return driver_of(tmp_path, "file")


def driver_of(tmp_path: Path, name: str) -> ExampleStorageDriver:
    return ExampleStorageDriver(ExampleSettings(folder=tmp_path / name), agent_context(tmp_path))
