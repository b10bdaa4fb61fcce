# SPDX-License-Identifier: Apache-2.0
"""The tests of optional abilities; a driver that does not offer one skips its tests."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final
from uuid import UUID, uuid4

import pytest

from stratoplane.compute import ConsoleOps, ImageOps, ImageReference, LiveResizeOps, RebootOps, ResizeOps
from stratoplane.drivers import MOST_IMAGES, AvailableImage, Driver
from stratoplane.errors import ConflictError, NotFoundError
from stratoplane.foreign import FOREIGN_LIMIT, Adoption, ForeignObject, ForeignOps, ImportOps
from stratoplane.ids import new_id
from stratoplane.resources import PowerState
from stratoplane.testing.bench import Workbench
from stratoplane.testing.shape import offered

_CONSOLE_BYTES: Final = 64 * 1024


class Reboot:
    """A restart is the one imperative."""

    def test_a_restarted_machine_is_the_same_and_runs(self, bench: Workbench, driver: Driver) -> None:
        ops = offered(driver, RebootOps)
        spec = bench.new_spec()
        made = bench.create(spec)

        bench.settle(lambda: ops.reboot(spec.uid), type(None))

        assert bench.observe(spec.uid) == made

    def test_a_stopped_machine_is_not_restarted(self, bench: Workbench, driver: Driver) -> None:
        ops = offered(driver, RebootOps)
        spec = replace(bench.new_spec(), power=PowerState.STOPPED)
        bench.create(spec)

        with pytest.raises(ConflictError):
            bench.settle(lambda: ops.reboot(spec.uid))

        assert bench.observe(spec.uid).power is PowerState.STOPPED

    def test_what_never_was_cannot_be_restarted(self, bench: Workbench, driver: Driver) -> None:
        ops = offered(driver, RebootOps)

        with pytest.raises(NotFoundError):
            bench.settle(lambda: ops.reboot(uuid4()))


class Resize:
    """Sizes change, the machine stays."""

    def test_a_machine_is_resized_as_often_as_called(self, bench: Workbench, driver: Driver, times: int) -> None:
        ops = offered(driver, ResizeOps)
        spec = bench.new_spec()
        bench.create(spec)
        larger = replace(spec, vcpus=spec.vcpus + 1, memory_mib=spec.memory_mib * 2, root_gib=spec.root_gib + 1)

        answers = [bench.settle(lambda: ops.resize(larger), bench.status) for _ in range(times)]

        assert [answer.drift(larger) for answer in answers] == [frozenset()] * times
        assert bench.observe(spec.uid).drift(larger) == frozenset()
        assert list(bench.listed()).count(spec.uid) == 1

    def test_a_machine_is_made_smaller_again(self, bench: Workbench, driver: Driver) -> None:
        ops = offered(driver, ResizeOps)
        spec = bench.new_spec()
        bench.create(replace(spec, vcpus=spec.vcpus + 1))

        assert bench.settle(lambda: ops.resize(spec), bench.status).vcpus == spec.vcpus

    def test_a_stopped_machine_is_resized_and_stays_stopped(self, bench: Workbench, driver: Driver) -> None:
        ops = offered(driver, ResizeOps)
        spec = replace(bench.new_spec(), power=PowerState.STOPPED)
        bench.create(spec)

        resized = bench.settle(lambda: ops.resize(replace(spec, vcpus=spec.vcpus + 1)), bench.status)

        assert (resized.vcpus, resized.power) == (spec.vcpus + 1, PowerState.STOPPED)

    def test_what_never_was_cannot_be_resized(self, bench: Workbench, driver: Driver) -> None:
        ops = offered(driver, ResizeOps)
        spec = bench.new_spec()
        bench.will_make(spec)

        with pytest.raises(NotFoundError):
            bench.settle(lambda: ops.resize(spec))

        assert bench.observe(spec.uid) is None


class LiveResize:
    """A running machine does not stop for it."""

    def test_a_running_machine_runs_while_it_is_resized(self, bench: Workbench, driver: Driver) -> None:
        ops = offered(driver, LiveResizeOps)
        spec = bench.new_spec()
        bench.create(spec)
        larger = replace(spec, vcpus=spec.vcpus + 1, memory_mib=spec.memory_mib * 2, root_gib=spec.root_gib + 1)
        seen: set[PowerState] = set()

        def resize() -> object:
            answer = ops.resize(larger)
            seen.add(bench.observe(spec.uid).power)
            return answer

        bench.settle(resize, bench.status)

        assert seen == {PowerState.RUNNING}


class ConsoleLog:
    """What a machine wrote to its serial console."""

    def test_a_machine_has_a_console(self, bench: Workbench, driver: Driver) -> None:
        ops = offered(driver, ConsoleOps)
        spec = bench.new_spec()
        bench.create(spec)

        text = bench.settle(lambda: ops.console_log(spec.uid), str)

        assert len(text.encode()) <= _CONSOLE_BYTES * 4
        assert len(text) <= _CONSOLE_BYTES

    def test_what_never_was_has_no_console(self, bench: Workbench, driver: Driver) -> None:
        ops = offered(driver, ConsoleOps)

        with pytest.raises(NotFoundError):
            bench.settle(lambda: ops.console_log(uuid4()))


class Images:
    """A driver that tells its images tells those that it can use, and no other."""

    def test_an_image_that_can_be_used_is_listed(self, driver: Driver, image: ImageReference | None) -> None:
        found = _images(driver)
        if image is None:
            pytest.skip("no fixture image")

        assert is_among(found, image)

    def test_an_image_that_is_missing_is_not_listed(self, driver: Driver, missing_image: ImageReference | None) -> None:
        found = _images(driver)
        if missing_image is None:
            pytest.skip("no fixture missing_image")

        assert not is_among(found, missing_image)

    def test_images_are_listed_up_to_a_limit_and_each_says_what_it_is(self, driver: Driver) -> None:
        found = _images(driver)

        assert _images(driver, limit=1) == found[:1]
        assert all(bool(each.source) != (each.uid is not None) for each in found)
        assert len({each.source or each.uid for each in found}) == len(found)


def is_among(images: Iterable[AvailableImage], wanted: ImageReference) -> bool:
    """Tell whether an image is there: by its source, unless both digests are known and differ, or as a copy."""
    return any(
        each.uid == wanted.uid
        or (each.source == wanted.source and (not each.sha256 or wanted.sha256 in ("", each.sha256)))
        for each in images
    )


def _images(driver: Driver, limit: int = MOST_IMAGES) -> list[AvailableImage]:
    found = offered(driver, ImageOps).list_images(limit)
    if found is None:
        pytest.skip("the driver does not tell its images")
    return list(found)


class ForeignObjects:
    """What is not ours is shown, and only shown."""

    def test_what_is_ours_is_not_foreign(self, bench: Workbench, driver: Driver) -> None:
        ops = offered(driver, ForeignOps)
        made = bench.create(bench.new_spec())

        assert made.provider_reference not in [each.reference for each in ops.list_foreign(FOREIGN_LIMIT)]

    def test_foreign_objects_are_listed_and_are_not_ours(
        self, bench: Workbench, driver: Driver, add_foreign: Callable[[], str] | None
    ) -> None:
        ops = offered(driver, ForeignOps)
        if add_foreign is None:
            pytest.skip("no fixture add_foreign")
        references = {add_foreign(), add_foreign()}

        found = [each for each in ops.list_foreign(FOREIGN_LIMIT) if each.reference in references]

        assert sorted(each.reference for each in found) == sorted(references)
        assert {type(each.status) for each in found} == {bench.status}
        assert not {each.status.uid for each in found if isinstance(each.status, bench.status)} & set(bench.listed())
        assert [each.reference for each in ops.list_foreign(1)] == [
            next(iter(ops.list_foreign(FOREIGN_LIMIT))).reference
        ]


class Import:
    """What was foreign becomes ours, and foreign again; it is never lost."""

    def test_an_adopted_object_is_ours_however_often_it_is_asked_for(
        self, bench: Workbench, driver: Driver, add_foreign: Callable[[], str] | None, project_id: UUID, times: int
    ) -> None:
        ops, adoption, foreign = _to_adopt(driver, add_foreign, project_id)

        bench.will_make(adoption)
        answers = [bench.settle(lambda: ops.adopt(adoption), bench.status) for _ in range(times)]

        assert {(each.uid, each.name) for each in answers} == {(adoption.uid, "adopted")}
        assert {each.provider_reference for each in answers} == {foreign.reference}
        assert list(bench.listed()).count(adoption.uid) == 1
        assert adoption.reference not in _foreign(ops)

    def test_a_released_object_is_foreign_as_before(
        self, bench: Workbench, driver: Driver, add_foreign: Callable[[], str] | None, project_id: UUID, times: int
    ) -> None:
        ops, adoption, foreign = _to_adopt(driver, add_foreign, project_id)
        bench.will_make(adoption)
        bench.settle(lambda: ops.adopt(adoption), bench.status)

        for _ in range(times):
            bench.settle(lambda: ops.release(adoption.uid), type(None))

        assert bench.observe(adoption.uid) is None
        assert adoption.uid not in bench.listed()
        assert _foreign(ops)[adoption.reference].name == foreign.name

    def test_an_object_is_adopted_once(
        self, bench: Workbench, driver: Driver, add_foreign: Callable[[], str] | None, project_id: UUID
    ) -> None:
        ops, adoption, _ = _to_adopt(driver, add_foreign, project_id)
        bench.will_make(adoption)
        bench.settle(lambda: ops.adopt(adoption), bench.status)

        with pytest.raises((NotFoundError, ConflictError)):
            bench.settle(lambda: ops.adopt(replace(adoption, uid=new_id())))

        assert bench.observe(adoption.uid).uid == adoption.uid

    def test_what_never_was_cannot_be_adopted(self, bench: Workbench, driver: Driver, project_id: UUID) -> None:
        ops = offered(driver, ImportOps)
        adoption = Adoption(uid=new_id(), project_id=project_id, name="adopted", reference="never-was")

        with pytest.raises(NotFoundError):
            bench.settle(lambda: ops.adopt(adoption))

        bench.settle(lambda: ops.release(adoption.uid), type(None))

    def test_a_mark_is_on_one_object(
        self, bench: Workbench, driver: Driver, add_foreign: Callable[[], str] | None, project_id: UUID
    ) -> None:
        ops, adoption, _ = _to_adopt(driver, add_foreign, project_id)
        made = bench.create(bench.new_spec())

        with pytest.raises(ConflictError):
            bench.settle(lambda: ops.adopt(replace(adoption, uid=made.uid)))

        assert adoption.reference in _foreign(ops)

    def test_what_was_made_is_not_released(self, bench: Workbench, driver: Driver) -> None:
        ops = offered(driver, ImportOps)
        made = bench.create(bench.new_spec())

        with pytest.raises(ConflictError):
            bench.settle(lambda: ops.release(made.uid))

        assert bench.observe(made.uid) == made

    def test_an_adopted_object_is_deleted_like_any_other(
        self, bench: Workbench, driver: Driver, add_foreign: Callable[[], str] | None, project_id: UUID
    ) -> None:
        ops, adoption, _ = _to_adopt(driver, add_foreign, project_id)
        bench.will_make(adoption)
        bench.settle(lambda: ops.adopt(adoption), bench.status)

        bench.delete(adoption.uid)

        assert adoption.uid not in bench.listed()
        assert adoption.reference not in _foreign(ops)


def _to_adopt(
    driver: Driver, add_foreign: Callable[[], str] | None, project_id: UUID
) -> tuple[ImportOps, Adoption, ForeignObject]:
    ops: ImportOps = offered(driver, ImportOps)
    if add_foreign is None:
        pytest.skip("no fixture add_foreign")
    reference = add_foreign()
    adoption = Adoption(uid=new_id(), project_id=project_id, name="adopted", reference=reference)
    return ops, adoption, _foreign(ops)[reference]


def _foreign(ops: ForeignOps) -> dict[str, ForeignObject]:
    return {each.reference: each for each in ops.list_foreign(FOREIGN_LIMIT)}
