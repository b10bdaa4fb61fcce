# SPDX-License-Identifier: Apache-2.0
"""Seeds keep every promise, replay exactly, and find the damage when one of the rules is switched off."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.simulated.tables import Rules
from tests.simulation.simulated.world import World

SEEDS = 10
MUTANT_SEEDS = 200


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Let thousands of faults pass without a word in the log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_no_seed_breaks_a_promise():
    reports = [World(seed).run() for seed in range(SEEDS)]

    assert {report.seed: report.violations for report in reports if report.violations} == {}
    assert sum(report.kills for report in reports) > SEEDS
    assert sum(report.stale_refused for report in reports) > 0
    assert sum(report.lost for report in reports) > SEEDS


def test_a_seed_replays_to_the_letter():
    stories: list[list[str]] = [[], []]
    first, second = (World(11, trace=story.append).run() for story in stories)

    assert first == second
    assert stories[0] == stories[1]
    assert len(stories[0]) > 50


@pytest.mark.long
@pytest.mark.parametrize("rule", ["fence", "lease", "outbox", "sweeper", "observe_first"])
def test_the_simulation_finds_the_damage_when_a_rule_is_switched_off(rule):
    rules = Rules(**{rule: False})

    failed = next((seed for seed in range(MUTANT_SEEDS) if World(seed, rules).run().violations), None)

    assert failed is not None


def test_the_program_prints_figures_and_the_story_of_one_seed():
    program = [sys.executable, "-m", "tests.simulation.run"]
    root = Path(__file__).parents[2]
    many = subprocess.run([*program, "--seeds=2", "--jobs=1"], cwd=root, capture_output=True, text=True, check=True)
    one = subprocess.run([*program, "--seed=2"], cwd=root, capture_output=True, text=True, check=True)

    figures = json.loads(many.stdout.splitlines()[-1])
    assert figures["seeds"] == 2
    assert figures["violations"] == 0
    assert any("accepted" in line for line in one.stdout.splitlines())
