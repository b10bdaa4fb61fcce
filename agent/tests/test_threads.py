# SPDX-License-Identifier: Apache-2.0
"""Bulkheads, the timer, back-off and log lines."""

import io
import json
import logging
import random
import threading

import pytest

from stratoplane_agent.backoff import Backoff
from stratoplane_agent.bulkhead import Bulkhead
from stratoplane_agent.host import Host
from stratoplane_agent.log import Log, LogFormat, LogLevel, configure, trace_id
from stratoplane_agent.timer import Timer

# Seconds for what must happen: only a fault, never a busy machine, makes a test wait so long.
PATIENCE = 120.0


@pytest.fixture
def release():
    event = threading.Event()
    yield event
    event.set()


def test_a_bulkhead_runs_no_more_than_it_may(release):
    bulkhead, begun = Bulkhead("compute", 3), threading.Semaphore(0)

    def task() -> None:
        begun.release()
        release.wait(PATIENCE)

    for _ in range(5):
        bulkhead.submit(task)
    assert all(begun.acquire(timeout=PATIENCE) for _ in range(3))
    assert not begun.acquire(timeout=0.05)
    bulkhead.lend()
    assert begun.acquire(timeout=PATIENCE)
    release.set()
    assert begun.acquire(timeout=PATIENCE)


def test_a_thread_outlives_a_task_that_fails():
    bulkhead, done = Bulkhead("compute", 1), threading.Event()

    def fail() -> None:
        raise SystemExit(1)

    bulkhead.submit(fail)
    bulkhead.submit(done.set)

    assert done.wait(PATIENCE)


class Stopwatch(Host):
    now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_a_bulkhead_is_stalled_only_when_nothing_moves(release):
    host = Stopwatch()
    bulkhead, begun = Bulkhead("compute", 1, host), threading.Event()
    host.now += 3600.0  # a long idle time is not a stall

    def task() -> None:
        begun.set()
        release.wait(PATIENCE)

    bulkhead.submit(task)
    assert begun.wait(PATIENCE)
    at_first = bulkhead.is_stalled()
    host.now += 60.0

    assert not at_first
    assert bulkhead.is_stalled()


def test_a_call_waits_neither_for_a_later_one_nor_for_one_that_failed():
    timer, late, failed, done = Timer(), threading.Event(), threading.Event(), threading.Event()

    def fail() -> None:
        failed.set()
        raise ValueError("once")

    timer.after(3600.0, late.set)
    timer.start()
    timer.after(0.01, fail)
    assert failed.wait(PATIENCE)
    timer.after(0.01, done.set)

    assert done.wait(PATIENCE)
    assert not late.is_set()
    timer.stop()


def test_a_repeated_call_goes_on_after_a_failure():
    timer, calls, thrice = Timer(), [], threading.Event()

    def call() -> None:
        calls.append(1)
        if len(calls) == 3:
            thrice.set()
        raise ValueError("again")

    timer.every(0.01, call)
    timer.start()

    assert thrice.wait(PATIENCE)
    timer.stop()


def test_delays_grow_to_a_bound_and_reset_after_a_success():
    backoff = Backoff(base=1.0, cap=8.0, generator=random.Random(1))
    delays = [backoff.delay() for _ in range(200)]
    asked = backoff.delay(5.0)
    backoff.reset()

    assert delays[0] <= 1.0
    assert 4.0 < max(delays) <= 8.0
    assert asked >= 5.0
    assert backoff.delay() <= 1.0


@pytest.fixture
def lines():
    """Return a function that configures logging and returns the stream; logging is as before afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("stratoplane_agent")
    before = root.handlers, root.level, ours.level

    def start(form: LogFormat) -> io.StringIO:
        stream = io.StringIO()
        configure(form, LogLevel.INFO, stream)
        return stream

    yield start
    root.handlers, level, ours_level = before
    root.setLevel(level)
    ours.setLevel(ours_level)


def test_a_line_of_text_stays_one_line(lines):
    stream = lines(LogFormat.TEXT)
    Log("part").warning("it_happened", reason='a "b"\nc\x1b[31m', n=3, empty="", seconds=0.25)
    Log("part").debug("not_written")

    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().rstrip().endswith(r'warning it_happened reason="a \"b\"\nc\u001b[31m" n=3 seconds=0.25')


def test_a_line_of_json_holds_the_traceback_and_libraries_too(lines):
    stream = lines(LogFormat.JSON)
    with pytest.raises(KeyError) as caught:
        raise KeyError("x")
    Log("part").bug("it_broke", caught.value, operation="o")
    logging.getLogger("a.library").warning("so %s", "it is")
    logging.getLogger("a.library").info("chatter")
    first, second = map(json.loads, stream.getvalue().splitlines())

    assert (first["event"], first["level"], first["operation"]) == ("it_broke", "error", "o")
    assert "KeyError: 'x'" in first["traceback"]
    assert (second["event"], second["logger"], second["message"]) == ("library", "a.library", "so it is")


def test_the_trace_is_read_from_its_parent():
    assert trace_id("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") == "0af7651916cd43dd8448eb211c80319c"
    assert trace_id("") == ""
