# SPDX-License-Identifier: Apache-2.0
import threading
import time
from uuid import uuid4

import pytest

from stratoplane_libvirt.locks import ObjectLocks


def test_changes_of_one_object_take_turns():
    locks, uid = ObjectLocks(), uuid4()
    order = []

    def second():
        with locks.hold(uid):
            order.append("second")

    with locks.hold(uid):
        waiting = threading.Thread(target=second)
        waiting.start()
        while not locks._wanted[uid] > 1:
            time.sleep(0.001)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]


def test_changes_of_different_objects_do_not_wait_for_each_other():
    locks = ObjectLocks()
    met = threading.Barrier(2, timeout=60)

    def change():
        with locks.hold(uuid4()):
            met.wait()

    other = threading.Thread(target=change)
    other.start()
    change()
    other.join()


def test_an_object_is_free_again_after_a_failure():
    locks, uid = ObjectLocks(), uuid4()
    with pytest.raises(KeyError), locks.hold(uid):
        raise KeyError
    with locks.hold(uid):
        assert locks._locks
    assert locks._locks == {}
