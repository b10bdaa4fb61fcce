# SPDX-License-Identifier: Apache-2.0
"""The tests of what goes wrong: calls cut in the middle, errors' classes, many callers at once."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from stratoplane.drivers import Driver
from stratoplane.errors import MisconfiguredError, TransientError, UncertainError
from stratoplane.jobs import Wait
from stratoplane.testing.bench import Interruption, Workbench

Crashing = Callable[[int], Driver] | None
_MOST_STEPS: Final = 50


class Interruptions:
    """A call that was cut off anywhere can be called again, and exactly one object comes of it."""

    def test_a_creation_that_was_cut_off_ends_in_exactly_one(self, bench: Workbench, crashing_driver: Crashing) -> None:
        before, cuts = sorted(bench.listed()), 0
        for step in _steps(crashing_driver):
            spec = bench.new_spec()
            was_cut = _is_cut(bench, crashing_driver, step, _creation(spec))
            left = bench.observe(spec.uid)
            assert left is None or left.uid == spec.uid

            made = bench.create(spec)

            assert made.drift(spec) == frozenset()
            assert list(bench.listed()).count(spec.uid) == 1
            bench.delete(spec.uid)
            assert sorted(bench.listed()) == before
            cuts += was_cut
            if not was_cut:
                break
        assert cuts, "crashing_driver cut nothing off"

    def test_a_creation_that_was_cut_off_can_be_deleted(self, bench: Workbench, crashing_driver: Crashing) -> None:
        before = sorted(bench.listed())
        for step in _steps(crashing_driver):
            spec = bench.new_spec()
            was_cut = _is_cut(bench, crashing_driver, step, _creation(spec))

            bench.delete(spec.uid)

            assert bench.observe(spec.uid) is None
            assert sorted(bench.listed()) == before
            if not was_cut:
                break

    def test_an_update_that_was_cut_off_goes_on(self, bench: Workbench, crashing_driver: Crashing) -> None:
        for step in _steps(crashing_driver):
            spec = bench.new_spec()
            bench.create(spec)
            wanted = bench.changed(spec)
            was_cut = _is_cut(bench, crashing_driver, step, _updating(wanted))

            updated = bench.update(wanted)

            assert updated.drift(wanted) == frozenset()
            bench.delete(spec.uid)
            if not was_cut:
                break

    def test_a_deletion_that_was_cut_off_goes_on(self, bench: Workbench, crashing_driver: Crashing) -> None:
        before = sorted(bench.listed())
        for step in _steps(crashing_driver):
            spec = bench.new_spec()
            bench.create(spec)
            was_cut = _is_cut(bench, crashing_driver, step, _deletion(spec))

            bench.delete(spec.uid)

            assert bench.observe(spec.uid) is None
            assert sorted(bench.listed()) == before
            if not was_cut:
                break


class Errors:
    """An error's class tells the engine what to do next."""

    def test_a_provider_that_does_not_answer_is_a_transient_error(
        self, bench: Workbench, unreachable_driver: Driver | None
    ) -> None:
        if unreachable_driver is None:
            pytest.skip("no fixture unreachable_driver")
        observe = bench.on(unreachable_driver).call

        with pytest.raises(TransientError):  # noqa: PT012  # a driver may find out when it connects or when it asks
            unreachable_driver.prepare()
            observe("observe", bench.new_spec().uid)

    def test_settings_that_cannot_work_are_named(self, misconfigured_driver: Driver | None) -> None:
        if misconfigured_driver is None:
            pytest.skip("no fixture misconfigured_driver")

        with pytest.raises(MisconfiguredError) as caught:
            misconfigured_driver.prepare()

        assert caught.value.detail


class Concurrency:
    """An agent calls a driver from several threads."""

    def test_the_same_creation_at_once_makes_one(self, bench: Workbench, crowd: int) -> None:
        spec = bench.new_spec()
        bench.will_make(spec)

        answers = at_once(crowd, lambda _: bench.call("create", spec))

        made = bench.create(spec)
        assert [answer for answer in answers if not isinstance(answer, bench.status | Wait | TransientError)] == []
        assert made.drift(spec) == frozenset()
        assert list(bench.listed()).count(spec.uid) == 1

    def test_different_creations_at_once_make_all(self, bench: Workbench, crowd: int) -> None:
        specs = [bench.new_spec() for _ in range(crowd)]

        at_once(crowd, lambda number: bench.create(specs[number]))

        assert [bench.observe(spec.uid).drift(spec) for spec in specs] == [frozenset()] * crowd
        assert {spec.uid for spec in specs} <= set(bench.listed())

    def test_the_same_deletion_at_once_is_success(self, bench: Workbench, crowd: int) -> None:
        spec = bench.new_spec()
        bench.create(spec)

        at_once(crowd, lambda _: bench.delete(spec.uid))

        assert bench.observe(spec.uid) is None


def at_once(crowd: int, call: Callable[[int], Any]) -> Sequence[Any]:
    """Let ``crowd`` threads call at the same moment and return their answers; transient errors count as answers."""
    ready = threading.Barrier(crowd)

    def run(number: int) -> Any:
        ready.wait()
        try:
            return call(number)
        except TransientError as error:
            return error

    with ThreadPoolExecutor(max_workers=crowd) as pool:
        return list(pool.map(run, range(crowd)))


def _steps(crashing_driver: Crashing) -> range:
    if crashing_driver is None:
        pytest.skip("no fixture crashing_driver")
    return range(1, _MOST_STEPS + 1)


def _creation(spec: Any) -> Callable[[Workbench], Any]:
    return lambda bench: bench.create(spec)


def _updating(spec: Any) -> Callable[[Workbench], Any]:
    return lambda bench: bench.update(spec)


def _deletion(spec: Any) -> Callable[[Workbench], Any]:
    return lambda bench: bench.delete(spec.uid)


def _is_cut(bench: Workbench, crashing_driver: Crashing, step: int, call: Callable[[Workbench], Any]) -> bool:
    """Make a call with a driver that dies at ``step``, and tell whether it died."""
    assert crashing_driver is not None
    try:
        call(bench.on(crashing_driver(step)))
    except (Interruption, UncertainError):
        return True
    return False
