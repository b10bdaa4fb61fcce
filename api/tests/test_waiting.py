# SPDX-License-Identifier: Apache-2.0
"""Requests that are held until something is so."""

from stratoplane_api.wait_slots import WaitSlots
from stratoplane_api.waiter_registry import WaiterRegistry


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
