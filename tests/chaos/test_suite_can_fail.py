# SPDX-License-Identifier: Apache-2.0
"""The checkers find the damage when a rule of the platform is switched off, and none when it is not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos import scenarios
from tests.chaos.checkers import check, quiet
from tests.chaos.probes import probe
from tests.chaos.tenants import Project, Tally, make_project
from tests.chaos.tree import Tree, wait_until

_Scenario = Callable[[Tree, Project], object]


def _order_one(tree: Tree, project: Project) -> None:
    scenarios.ends(tree, scenarios.order(tree, project))


def test_nothing_is_found_while_every_rule_holds(tmp_path: Path) -> None:
    with Tree(tmp_path, mutations=["forgetful-provider"]) as tree:
        project = make_project(tree)
        scenarios.write_after_the_lease(tree, project)
        scenarios.stand_still_with_a_lease(tree, project)
        scenarios.die_after_the_effect(tree, project)
        wait_until(lambda: quiet(tree), "quiescence")

        assert [*check(tree, Tally()), *probe(tree, project)] == []
        assert tree.log_lines("1 updates of jobs were refused")


@pytest.mark.parametrize(
    ("mutations", "scenario", "invariant", "mark", "words"),
    [
        (["fence"], scenarios.write_after_the_lease, "J6", "broken", "changed after its end"),
        (["lease"], scenarios.stand_still_with_a_lease, "J4", "broken", "claimed under a live lease"),
        (["outbox"], _order_one, "J8", "broken", "nobody was told"),
        (["observe-first", "forgetful-provider"], scenarios.die_after_the_effect, "J5", "duplicated", "nobody's"),
    ],
    ids=["fence", "lease-check", "outbox", "observe-first"],
)
def test_damage_is_found_when_a_rule_is_switched_off(
    tmp_path: Path, mutations: list[str], scenario: _Scenario, invariant: str, mark: str, words: str
) -> None:
    with Tree(tmp_path, mutations=mutations) as tree:
        scenario(tree, make_project(tree))
        findings = check(tree, Tally())

    found = [each for each in findings if (each.invariant, each.mark) == (invariant, mark) and words in each.what]
    assert found, findings
