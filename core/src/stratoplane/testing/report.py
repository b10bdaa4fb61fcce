# SPDX-License-Identifier: Apache-2.0
"""``stratoplane-conformance report``: run the conformance tests of a driver and print the result on one page."""

import argparse
import contextlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from stratoplane import CONTRACT
from stratoplane.drivers import Feature, Interface
from stratoplane.testing.shape import REPEAT, Conformance
from stratoplane.wire import to_json

_OUTCOMES: Final = ("passed", "failed", "skipped")
_POSSIBLE: Final[Mapping[str, Sequence[Feature]]] = {
    Interface.COMPUTE: (
        Feature.REBOOT,
        Feature.RESIZE,
        Feature.LIVE_RESIZE,
        Feature.CONSOLE_LOG,
        Feature.IMPORT,
        Feature.FOREIGN_OBJECTS,
    ),
    Interface.NETWORK: (Feature.IMPORT, Feature.FOREIGN_OBJECTS),
    Interface.STORAGE: (Feature.BUCKETS, Feature.IMPORT, Feature.FOREIGN_OBJECTS),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How one conformance test ended; ``reason`` says why it was skipped or failed."""

    group: str
    name: str
    outcome: str
    reason: str = ""


@dataclass(kw_only=True)
class ClassResult:
    """What became of one test class: the driver that it tested, and the end of each of its tests.

    Attributes:
        order: names of the test class and of the kit's classes that it inherits.
        facts: driver, interface, contract, features and production_ready, as the driver says them.
    """

    name: str
    order: Sequence[str] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    ends: list[Ending] = field(default_factory=list)

    def count(self, group: str = "") -> Mapping[str, int]:
        """Return how many tests of a group, or of all, passed, failed and were skipped."""
        found = Counter(end.outcome for end in self.ends if group in ("", end.group))
        return {outcome: found[outcome] for outcome in _OUTCOMES}

    @property
    def groups(self) -> Sequence[str]:
        """The groups that ran, in the order of the class."""
        ran = {end.group for end in self.ends}
        return [group for group in self.order if group in ran]


class Recorder:
    """A pytest plugin that listens to the conformance tests of a run.

    Attributes:
        results: one entry for each test class, by its node id.
    """

    def __init__(self, repeat: int | None = None) -> None:
        self._repeat: Final = repeat
        self._items: Final[dict[str, tuple[type[Conformance], str]]] = {}
        self.results: Final[dict[str, ClassResult]] = defaultdict(lambda: ClassResult(name=""))

    def pytest_configure(self, config: pytest.Config) -> None:
        """Tell the conformance classes how often to repeat."""
        if self._repeat is not None:
            config.stash[REPEAT] = self._repeat

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Note which group a test belongs to: the class of the kit that defines it."""
        owner = getattr(item, "cls", None)
        if owner is not None and issubclass(owner, Conformance):
            function: Any = getattr(item, "function", None)
            self._items[item.nodeid] = (owner, function.__qualname__.split(".", maxsplit=1)[0])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a test ended: by its own phase, or by an earlier or later one that did not pass."""
        if report.nodeid not in self._items or (report.when != "call" and report.passed):
            return
        owner, group = self._items[report.nodeid]
        parent, name = report.nodeid.rsplit("::", maxsplit=1)
        result = self.results[parent]
        result.name, result.order = owner.__qualname__, [each.__name__ for each in owner.__mro__]
        result.facts = dict(report.user_properties).get("conformance") or result.facts  # type: ignore[assignment]
        result.ends.append(Ending(group=group, name=name, outcome=report.outcome, reason=_reason(report)))


def _reason(report: pytest.TestReport) -> str:
    if report.passed:
        return ""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(getattr(getattr(report.longrepr, "reprcrash", None), "message", report.longrepr)).split("\n", 1)[0]


def page(results: Sequence[ClassResult]) -> str:
    """Return the report as Markdown."""
    return "\n".join(line for result in results for line in _class_lines(result))


def _class_lines(result: ClassResult) -> Iterator[str]:
    facts = result.facts
    features = facts.get("features")
    offered: list[str] = features if isinstance(features, list) else []
    yield f"# {result.name}: {facts.get('driver', 'the driver could not be made')}"
    yield ""
    yield f"{facts.get('interface', 'unknown')} driver for contract {facts.get('contract', 'unknown')}"
    yield f"(tested with {'.'.join(str(number) for number in CONTRACT)}), {_readiness(facts)}"
    yield f"Features: {', '.join(offered) or 'none'}; not offered: {_missing(facts.get('interface'), offered)}"
    yield ""
    yield "| group | passed | failed | skipped |"
    yield "| --- | --- | --- | --- |"
    for group in (*result.groups, ""):
        counts = result.count(group)
        yield f"| {group or 'in all'} | {' | '.join(str(counts[outcome]) for outcome in _OUTCOMES)} |"
    yield ""
    for outcome in ("failed", "skipped"):
        for end in (end for end in result.ends if end.outcome == outcome):
            yield f"- {outcome}: {end.group}, {end.name.removeprefix('test_').replace('_', ' ')}: {end.reason}"
    yield ""


def _readiness(facts: Mapping[str, object]) -> str:
    return "made for production" if facts.get("production_ready") else "NOT FOR PRODUCTION"


def _missing(interface: object, offered: Sequence[str]) -> str:
    possible = _POSSIBLE.get(str(interface), ())
    return ", ".join(feature.value for feature in possible if feature.value not in offered) or "none"


def document(results: Sequence[ClassResult]) -> Mapping[str, object]:
    """Return the report as JSON values."""
    return {
        "contract": list(CONTRACT),
        "classes": [
            {"name": result.name, **result.facts, "counts": result.count(), "tests": to_json(result.ends)}
            for result in results
        ],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the process's exit code: 0 when nothing failed and something ran."""
    parser = argparse.ArgumentParser(prog="stratoplane-conformance", description="Test drivers against the contract.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    report = commands.add_parser("report", help="run conformance tests and print the result on one page")
    report.add_argument("paths", nargs="+", metavar="PATH", help="test files, folders or ids as pytest takes them")
    report.add_argument("--repeat", type=int, metavar="N", help="call idempotent verbs so many times in a row")
    report.add_argument("--json", type=Path, metavar="FILE", help="write the result there as JSON, too")
    options = parser.parse_args(arguments)
    recorder = Recorder(options.repeat)
    with contextlib.redirect_stdout(sys.stderr):
        code = pytest.main(["-q", "--no-header", *options.paths], plugins=[recorder])
    results = list(recorder.results.values())
    print(page(results) or "no conformance class was found")  # noqa: T201  # what the command is for
    if options.json:
        options.json.write_text(json.dumps(document(results), indent=2) + "\n", encoding="utf-8")
    return int(code) if results else 1


if __name__ == "__main__":
    sys.exit(main())
