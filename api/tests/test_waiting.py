# SPDX-License-Identifier: Apache-2.0
"""Requests that are held until something is so."""

import threading
import time

from stratoplane_api.wait_slots import WaitSlots, hold
from stratoplane_api.waiter_registry import WaiterRegistry


def started(target):
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


def test_a_waiter_returns_as_soon_as_it_is_woken_and_satisfied():
    waiters, seen, looked = WaiterRegistry(), [], threading.Event()
    state = {"value": "RUNNING"}

    def look():
        looked.set()
        return state["value"]

    thread = started(lambda: seen.append(hold(waiters, "job", 20, look, lambda value: value == "DONE")))
    looked.wait(5)
    state["value"] = "DONE"
    waiters.wake("another")
    waiters.wake("job")
    thread.join(4)

    assert seen == ["DONE"]


def test_a_wake_up_between_look_and_wait_is_not_lost():
    waiters, looks = WaiterRegistry(), list[int]()

    def look():
        looks.append(len(looks))
        waiters.wake("job")
        return len(looks)

    began = time.monotonic()
    assert hold(waiters, "job", 20, look, lambda count: count == 3) == 3
    assert time.monotonic() - began < 4


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
