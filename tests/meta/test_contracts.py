# SPDX-License-Identifier: Apache-2.0
"""Hooks, errors and job states are whole: each documented, tested, mapped and reachable."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

import stratoplane_api
import stratoplane_engine
from stratoplane import errors, hookspecs, jobs
from stratoplane_api.errors import TABLE

HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("stratoplane_"))


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_documented(hook, root):
    assert hookspecs.__dict__[hook].__doc__
    assert f"## `{hook}`" in (root / "docs/reference/hooks.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_implemented_in_a_test_and_called_by_the_platform(hook, root):
    tests = [path for path in root.glob("*/tests/**/*.py") if f"def {hook}(" in path.read_text(encoding="utf-8")]
    tests += [path for path in root.glob("plugins/*/src/**/*.py") if f"def {hook}(" in path.read_text(encoding="utf-8")]
    sources = [path.read_text(encoding="utf-8") for path in root.glob("engine/src/**/*.py")]
    sources.append((root / "core/src/stratoplane/registry.py").read_text(encoding="utf-8"))
    calls = [text for text in sources if re.search(rf"hook\.{hook}[.(]", text)]

    assert tests
    assert calls


def every_error(kind: type[errors.StratoplaneError] = errors.StratoplaneError) -> Iterator[type]:
    yield kind
    for child in kind.__subclasses__():
        yield from every_error(child)


@pytest.fixture(scope="module")
def known_errors() -> list[type[errors.StratoplaneError]]:
    """Return every class of error that the control plane's modules define."""
    for package in (stratoplane_engine, stratoplane_api):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    ours = ("stratoplane.", "stratoplane_engine.", "stratoplane_api.")
    return [kind for kind in dict.fromkeys(every_error()) if kind.__module__.startswith(ours)]


def test_every_error_has_a_row_with_its_status(known_errors):
    assert len(known_errors) > 20
    assert [kind.__qualname__ for kind in known_errors if kind not in TABLE] == []
    assert [kind.__qualname__ for kind, row in TABLE.items() if not 400 <= row.status <= 599] == []


def test_every_error_has_a_code_of_its_own_and_says_what_the_caller_does(known_errors):
    codes = [kind.code for kind in known_errors]

    assert sorted(set(codes)) == sorted(codes)
    assert [code for code in codes if not re.fullmatch(r"[a-z]+(_[a-z]+)*", code)] == []
    assert [kind.__qualname__ for kind in known_errors if not kind.__doc__] == []


def test_every_error_is_in_the_reference(known_errors, root):
    page = (root / "docs/reference/errors.md").read_text(encoding="utf-8")

    assert [kind.code for kind in known_errors if f"| `{kind.code}` |" not in page] == []


def test_every_job_state_has_its_row_and_is_reachable():
    reached = {jobs.JobState.PENDING}
    while following := {after for state in reached for after in jobs.TRANSITIONS[state]} - reached:
        reached |= following

    assert set(jobs.TRANSITIONS) == set(jobs.JobState) == reached


def test_every_live_job_state_can_end():
    ends = set(jobs.TERMINAL)
    while more := {state for state, after in jobs.TRANSITIONS.items() if after & ends} - ends:
        ends |= more

    assert {"SUCCEEDED", "FAILED", "CANCELLED"} == jobs.TERMINAL
    assert ends == set(jobs.JobState)
    assert set(jobs.JobState) == jobs.LIVE | jobs.TERMINAL


def test_every_job_state_is_documented_with_what_a_crash_leaves(root):
    page = (root / "docs/reference/job-states.md").read_text(encoding="utf-8")

    for state in jobs.JobState:
        meaning = re.search(rf"^\| `{state}` \| (.*?) \|", page, re.MULTILINE)
        assert meaning
        assert ("After a crash" in meaning[1]) == (state in jobs.LIVE)
