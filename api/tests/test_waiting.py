# SPDX-License-Identifier: Apache-2.0
"""Requests that are held until something is so."""

import threading
import time

from stratoplane_api.waiting import Places, hold
from stratoplane_api.wakeups import Wakeups


def started(target):
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


def test_a_waiter_returns_as_soon_as_it_is_woken_and_satisfied():
    wakeups, seen, looked = Wakeups(), [], threading.Event()
    state = {"value": "RUNNING"}

    def look():
        looked.set()
        return state["value"]

    thread = started(lambda: seen.append(hold(wakeups, "job", 20, look, lambda value: value == "DONE")))
    looked.wait(5)
    state["value"] = "DONE"
    wakeups.wake("another")
    wakeups.wake("job")
    thread.join(4)

    assert seen == ["DONE"]


def test_a_wake_up_between_look_and_wait_is_not_lost():
    wakeups, looks = Wakeups(), []

    def look():
        looks.append(len(looks))
        wakeups.wake("job")
        return len(looks)

    began = time.monotonic()
    assert hold(wakeups, "job", 20, look, lambda count: count == 3) == 3
    assert time.monotonic() - began < 4


def test_what_is_not_so_in_time_is_returned_as_it_is():
    assert hold(Wakeups(), "job", 0.05, lambda: "RUNNING", lambda _: False) == "RUNNING"


def test_places_are_given_out_and_taken_back():
    places = Places(1)

    with places.take() as first, places.take() as second:
        assert (first, second) == (True, False)
    with places.take() as again:
        assert again


def test_nobody_is_kept_when_nobody_waits():
    wakeups = Wakeups()
    with wakeups.expect("job"):
        assert wakeups.names() == {"job"}

    assert wakeups.names() == set()
