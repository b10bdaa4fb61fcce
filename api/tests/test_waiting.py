# SPDX-License-Identifier: Apache-2.0
"""Requests that are held until something is so."""

import threading
from contextlib import contextmanager

from stratoplane_api.wait_slots import WaitSlots, hold
from stratoplane_api.waiter_registry import WaiterRegistry

PATIENCE = 60


class Hint:
    """An event that is waited for until it comes: nobody who waits for it looks again by themselves."""

    def __init__(self, event, came):
        self.clear, self._event, self._came = event.clear, event, came

    def wait(self, _):
        self._came.append(self._event.wait(PATIENCE))


class HintsOnly(WaiterRegistry):
    """Lets waiters go on by a wake-up alone, and notes whether each came."""

    def __init__(self):
        super().__init__()
        self.came = []

    @contextmanager
    def expect(self, *names):
        with super().expect(*names) as event:
            yield Hint(event, self.came)


def started(target):
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


def test_a_waiter_returns_as_soon_as_it_is_woken_and_satisfied():
    waiters, seen, looked = HintsOnly(), [], threading.Event()
    state = {"value": "RUNNING"}

    def look():
        looked.set()
        return state["value"]

    thread = started(lambda: seen.append(hold(waiters, "job", 2 * PATIENCE, look, lambda value: value == "DONE")))
    assert looked.wait(PATIENCE)
    state["value"] = "DONE"
    waiters.wake("another")
    waiters.wake("job")
    thread.join(2 * PATIENCE)

    assert seen == ["DONE"]
    assert waiters.came == [True]


def test_a_wake_up_between_look_and_wait_is_not_lost():
    waiters, looks = HintsOnly(), list[int]()

    def look():
        looks.append(len(looks))
        waiters.wake("job")
        return len(looks)

    assert hold(waiters, "job", 2 * PATIENCE, look, lambda count: count == 3) == 3
    assert waiters.came == [True, True]


def test_what_is_not_so_in_time_is_returned_as_it_is():
    assert hold(WaiterRegistry(), "job", 0.05, lambda: "RUNNING", lambda _: False) == "RUNNING"


def test_places_are_given_out_and_taken_back():
    wait_slots = WaitSlots(1)

    with wait_slots.take() as first, wait_slots.take() as second:
        assert (first, second) == (True, False)
    with wait_slots.take() as again:
        assert again


def test_nobody_is_kept_when_nobody_waits():
    waiters = WaiterRegistry()
    with waiters.expect("job"):
        assert waiters.names() == {"job"}

    assert waiters.names() == set()
