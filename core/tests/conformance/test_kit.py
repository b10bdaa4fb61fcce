# SPDX-License-Identifier: Apache-2.0
"""The conformance kit passes good drivers, catches bad ones, skips with a reason, and reports."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from stratoplane.testing import report

HERE = Path(__file__).parent
pytest_plugins = ["pytester"]

# The reference drivers have no neighbours at their provider.
UNOFFERED = {"the driver does not offer foreign_objects", "the driver does not offer import"}


@pytest.fixture
def folder(pytester: pytest.Pytester) -> Path:
    """Return a folder with the suite of the reference drivers and all mutants."""
    for name in ("reference.py", "mutants.py", "mutants_of_parts.py", "mutants_of_trouble.py"):
        shutil.copy(HERE / name, pytester.path / name)
    text = (HERE / "suite.py").read_text(encoding="utf-8")
    (pytester.path / "test_suite.py").write_text(text, encoding="utf-8")
    return pytester.path


def run(pytester: pytest.Pytester, *arguments: str) -> list[report.ClassResult]:
    """Run tests in this process and return what became of each class."""
    recorder = report.Recorder()
    pytester.inline_run("-q", "--tb=short", "-p", "no:cacheprovider", *arguments, plugins=[recorder])
    return list(recorder.results.values())


def test_good_drivers_pass(pytester, folder):
    names = [f"TestReference{kind}" for kind in ("Compute", "Network", "Storage", "Buckets")]

    results = run(pytester, *(f"test_suite.py::{name}" for name in names))

    assert [result.name for result in results] == names
    ends = [end for result in results for end in result.ends if end.outcome != "passed"]
    assert [(end.name, end.reason) for end in ends if end.reason not in UNOFFERED] == []
    assert sum(len(result.ends) for result in results) > 150


def test_every_mutant_is_caught(pytester, folder):
    pytester.syspathinsert(folder)
    import mutants_of_parts  # noqa: F401  # enters its mutants
    import mutants_of_trouble  # noqa: F401  # enters its mutants
    from mutants import MUTANTS

    wanted = {(mutant.name, test) for mutant in MUTANTS for test in mutant.tests}
    results = run(pytester, *(f"test_suite.py::{name}::{test}" for name, test in sorted(wanted)))

    ended = {(result.name, end.name): end.outcome for result in results for end in result.ends}
    assert len(MUTANTS) > 60
    assert ended.keys() == wanted
    assert sorted(key for key, outcome in ended.items() if outcome != "failed") == []


BARE = """
import pytest
from reference import ReferenceCompute, ReferenceSettings
from stratoplane.testing import ComputeConformance, agent_context

class TestBare(ComputeConformance):
    @pytest.fixture
    def driver(self, tmp_path):
        driver = ReferenceCompute(ReferenceSettings(), agent_context(tmp_path))
        driver.prepare()
        return driver

class TestWithoutDriver(ComputeConformance):
    pass
"""


def test_a_driver_fixture_is_all_that_is_needed(pytester, folder):
    pytester.makepyfile(test_bare=BARE)

    [result] = run(pytester, "test_bare.py::TestBare")

    counts = result.count()
    assert counts["failed"] == 0
    assert counts["passed"] > 35
    assert {end.reason for end in result.ends if end.outcome == "skipped"} == {
        f"no fixture {name}"
        for name in (
            "crashing_driver",
            "missing_image",
            "misconfigured_driver",
            "network_driver",
            "storage_driver",
            "too_large",
            "unreachable_driver",
        )
    } | UNOFFERED


def test_a_class_without_a_driver_is_told_so(pytester, folder):
    pytester.makepyfile(test_bare=BARE)

    [result] = run(pytester, "test_bare.py::TestWithoutDriver")

    assert {end.reason for end in result.ends} == {"Failed: the test class must have a fixture named driver"}


def test_an_ability_that_is_not_offered_is_skipped_by_name(pytester, folder):
    (pytester.path / "test_bare.py").write_text(
        BARE.replace("class TestBare", "class Plain(ReferenceStorage):\n    pass\n\nclass TestBare").replace(
            "import ReferenceCompute,", "import ReferenceNetwork as ReferenceCompute, ReferenceStorage,"
        ),
        encoding="utf-8",
    )

    [result] = run(pytester, "test_bare.py::TestBare", "-k", "console or restarted")

    assert {end.reason for end in result.ends} == {
        "the driver does not offer console_log",
        "the driver does not offer reboot",
    }


def test_the_report_is_one_page_and_json(pytester, folder):
    command = [sys.executable, "-m", "stratoplane.testing.report", "report", "test_suite.py::TestReferenceNetwork"]

    answer = pytester.run(*command, "--repeat", "4", "--json", "report.json")

    assert answer.ret == 0
    page = answer.stdout.str()
    assert "# TestReferenceNetwork: reference:ReferenceNetwork" in page
    assert "| Identity | 7 | 0 | 0 |" in page
    assert "not offered: import, foreign_objects" in page
    [found] = json.loads((pytester.path / "report.json").read_text(encoding="utf-8"))["classes"]
    assert found["driver"] == "reference:ReferenceNetwork"
    skipped = {test["reason"] for test in found["tests"] if test["outcome"] == "skipped"}
    assert (found["counts"]["failed"], skipped) == (0, UNOFFERED)


def test_the_report_says_that_a_driver_failed(pytester, folder):
    where = "test_suite.py::TestComputeDeletesNothing::test_what_was_deleted_is_gone"

    answer = pytester.run(sys.executable, "-m", "stratoplane.testing.report", "report", where)

    assert answer.ret == 1
    assert "- failed: Deletion, what was deleted is gone: AssertionError" in answer.stdout.str()


def test_a_report_of_nothing_is_a_failure(pytester):
    pytester.makepyfile(test_nothing="def test_something_else(): pass")

    answer = pytester.run(sys.executable, "-m", "stratoplane.testing.report", "report", "test_nothing.py")

    assert answer.ret == 1
    assert "no conformance class was found" in answer.stdout.str()
