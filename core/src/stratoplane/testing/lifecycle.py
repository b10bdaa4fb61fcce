# SPDX-License-Identifier: Apache-2.0
"""The tests of every kind of object: identity, idempotency, conflict, deletion, convergence, leftovers."""

import contextlib
from uuid import uuid4

import pytest

from stratoplane.drivers import Driver
from stratoplane.errors import ConflictError, DriverError, NotFoundError
from stratoplane.testing.bench import Workbench
from stratoplane.testing.shape import sibling


class Identity:
    """Our uid is the object's identity at the provider."""

    def test_what_was_never_made_is_observed_as_none(self, bench: Workbench) -> None:
        assert bench.observe(uuid4()) is None

    def test_what_was_created_is_observed_as_it_should_be(self, bench: Workbench) -> None:
        spec = bench.new_spec()

        made = bench.create(spec)

        assert made.uid == spec.uid
        assert made.drift(spec) == frozenset()
        assert bench.observe(spec.uid) == made

    def test_two_objects_with_the_same_name_are_two(self, bench: Workbench) -> None:
        first, second = bench.new_spec(), bench.new_spec()

        bench.create(first)
        bench.create(second)

        assert bench.observe(first.uid).uid == first.uid
        assert bench.observe(second.uid).uid == second.uid

    def test_what_was_created_is_listed_once(self, bench: Workbench) -> None:
        spec = bench.new_spec()

        bench.create(spec)

        assert list(bench.listed()).count(spec.uid) == 1

    def test_another_driver_object_finds_what_this_one_made(self, bench: Workbench, driver: Driver) -> None:
        spec = bench.new_spec()

        made = bench.create(spec)

        assert bench.on(sibling(driver)).observe(spec.uid) == made

    def test_another_installation_does_not_see_it(self, bench: Workbench, foreign_driver: Driver) -> None:
        spec = bench.new_spec()
        bench.create(spec)

        other = bench.on(foreign_driver)

        assert other.observe(spec.uid) is None
        assert spec.uid not in other.listed()

    def test_another_installation_cannot_delete_it(self, bench: Workbench, foreign_driver: Driver) -> None:
        spec = bench.new_spec()
        made = bench.create(spec)

        with contextlib.suppress(DriverError):  # refusing is as good as finding nothing
            bench.on(foreign_driver).delete(spec.uid)

        assert bench.observe(spec.uid) == made


class Idempotency:
    """A verb that is called again changes nothing more."""

    def test_creating_again_adopts_what_is_there(self, bench: Workbench, times: int) -> None:
        spec = bench.new_spec()

        answers = [bench.create(spec) for _ in range(times)]

        assert answers == [answers[0]] * times
        assert list(bench.listed()).count(spec.uid) == 1

    def test_updating_again_changes_nothing(self, bench: Workbench, times: int) -> None:
        spec = bench.new_spec()
        bench.create(spec)
        wanted = bench.changed(spec)

        answers = [bench.update(wanted) for _ in range(times)]

        assert answers == [answers[0]] * times
        assert bench.observe(spec.uid) == answers[0]

    def test_deleting_again_is_success(self, bench: Workbench, times: int) -> None:
        spec = bench.new_spec()
        bench.create(spec)

        for _ in range(times):
            bench.delete(spec.uid)

        assert bench.observe(spec.uid) is None


class Conflict:
    """An object with our identity and another shape is refused and left as it is."""

    def test_creating_with_another_shape_is_refused(self, bench: Workbench) -> None:
        if bench.other_shape is None:
            pytest.skip("no fixture other_shape")
        spec = bench.new_spec()
        made = bench.create(spec)

        with pytest.raises(ConflictError):
            bench.create(bench.other_shape(spec))

        assert bench.observe(spec.uid) == made


class Deletion:
    """Absent is success, and only the one object goes."""

    def test_deleting_what_never_was_is_success(self, bench: Workbench) -> None:
        bench.delete(uuid4())

    def test_what_was_deleted_is_gone(self, bench: Workbench) -> None:
        spec = bench.new_spec()
        bench.create(spec)

        bench.delete(spec.uid)

        assert bench.observe(spec.uid) is None
        assert spec.uid not in bench.listed()

    def test_others_stay_as_they_are(self, bench: Workbench) -> None:
        doomed, other = bench.new_spec(), bench.new_spec()
        bench.create(doomed)
        kept = bench.create(other)

        bench.delete(doomed.uid)

        assert bench.observe(other.uid) == kept


class Convergence:
    """An update leaves no difference between what should be and what is."""

    def test_an_update_leaves_no_drift(self, bench: Workbench) -> None:
        spec = bench.new_spec()
        bench.create(spec)
        wanted = bench.changed(spec)

        updated = bench.update(wanted)

        assert updated.drift(wanted) == frozenset()
        assert bench.observe(spec.uid) == updated

    def test_an_update_without_a_difference_changes_nothing(self, bench: Workbench) -> None:
        spec = bench.new_spec()
        made = bench.create(spec)

        assert bench.update(spec) == made

    def test_others_are_not_updated(self, bench: Workbench) -> None:
        spec, other = bench.new_spec(), bench.new_spec()
        bench.create(spec)
        kept = bench.create(other)

        bench.update(bench.changed(spec))

        assert bench.observe(other.uid) == kept

    def test_what_never_was_cannot_be_updated(self, bench: Workbench) -> None:
        spec = bench.new_spec()
        bench.will_make(spec)

        with pytest.raises(NotFoundError):
            bench.update(spec)

        assert bench.observe(spec.uid) is None
        assert spec.uid not in bench.listed()


class Leftovers:
    """After a whole life nothing is left."""

    def test_a_life_leaves_nothing_behind(self, bench: Workbench) -> None:
        before = sorted(bench.listed())
        spec = bench.new_spec()

        bench.create(spec)
        bench.update(bench.changed(spec))
        bench.delete(spec.uid)

        assert sorted(bench.listed()) == before
