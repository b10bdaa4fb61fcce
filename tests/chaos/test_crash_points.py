# SPDX-License-Identifier: Apache-2.0
"""A process dies between two effects, once at each such place: the order is carried out, once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import scenarios
from tests.chaos.checkers import check, quiet
from tests.chaos.tenants import Tally, make_project
from tests.chaos.tree import Tree, wait_until

_POINTS = (
    "api-before-commit",
    "api-after-commit",
    "relay-after-send",
    "agent-api-after-offer",
    "agent-api-after-acknowledgement",
    "agent-api-after-results",
    "sweeper-after-sweep",
    "worker-after-claim",
    "worker-after-verdict",
    "worker-after-write",
    "agent-after-admission",
    "agent-before-effect",
    "agent-after-effect",
    "agent-after-journal",
    "agent-after-report",
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    """A tree whose processes may die; the supervisor starts them again."""
    folder: Path = tmp_path_factory.mktemp("chaos")
    with Tree(folder) as running:
        yield running


@pytest.mark.parametrize("point", _POINTS)
def test_an_order_survives_a_death_at_every_point(tree: Tree, point: str) -> None:
    project = make_project(tree)
    tree.arm(point, "kill")

    job = scenarios.order(tree, project, "virtual-machines")
    pid = scenarios.victim(tree, point)
    scenarios.end_lease(tree, pid)

    assert scenarios.ends(tree, job) == "SUCCEEDED"
    wait_until(lambda: quiet(tree), "quiescence")
    assert check(tree, Tally(accepted={point: job})) == []
