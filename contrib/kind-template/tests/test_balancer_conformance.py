# SPDX-License-Identifier: Apache-2.0
"""The driver does what drivers must do."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from stratoplane_balancer.contract import LOAD_BALANCER, Algorithm, BalancerSpec
from stratoplane_balancer.driver import FolderBalancerDriver, FolderSettings

from stratoplane.ids import new_id
from stratoplane.testing import KindConformance, agent_context

Change = Callable[[BalancerSpec], BalancerSpec]


class TestFolderBalancers(KindConformance):
    driver_kind = LOAD_BALANCER

    @pytest.fixture
    def driver(self, tmp_path: Path) -> FolderBalancerDriver:
        driver = driver_of(tmp_path, "balancers")
        driver.settings.folder.mkdir()
        driver.prepare()
        return driver

    @pytest.fixture
    def unreachable_driver(self, tmp_path: Path) -> FolderBalancerDriver:
        """A driver whose folder, a network share perhaps, is not there."""
        return driver_of(tmp_path, "away")

    @pytest.fixture
    def new_spec(self, project_id: UUID) -> Callable[[], BalancerSpec]:
        return lambda: BalancerSpec(
            uid=new_id(), project_id=project_id, name="front", port=443, algorithm=Algorithm.ROUND_ROBIN
        )

    @pytest.fixture
    def changed(self) -> Change:
        return lambda spec: replace(spec, name="renamed", algorithm=Algorithm.LEAST_CONNECTIONS)

    @pytest.fixture
    def other_shape(self) -> Change:
        return lambda spec: replace(spec, port=spec.port + 1)


def driver_of(tmp_path: Path, name: str) -> FolderBalancerDriver:
    return FolderBalancerDriver(FolderSettings(folder=tmp_path / name), agent_context(tmp_path))
