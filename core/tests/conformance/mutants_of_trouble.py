# SPDX-License-Identifier: Apache-2.0
"""Mutants that cannot stand being cut off, left alone or called by many."""

import contextlib
import threading
from dataclasses import replace
from uuid import uuid4

from mutants import caught_by
from reference import Provider, ReferenceCompute

from stratoplane.errors import ConflictError, UnreachableError


@caught_by("a_creation_that_was_cut_off_ends_in_exactly_one")
class TakesHalfForWhole(ReferenceCompute):
    def create(self, spec):
        entry = self.entry(spec.uid)
        return entry.status if entry else super().create(spec)


@caught_by("a_creation_that_was_cut_off_ends_in_exactly_one", "a_creation_that_was_cut_off_can_be_deleted")
class MarksAfterwards(ReferenceCompute):
    def create(self, spec):
        if self.entry(spec.uid):
            return super().create(spec)
        nameless = uuid4()
        super().create(replace(spec, uid=nameless))
        with self.look().change():
            entry = self.look().kind(self.kind).pop(nameless)
            self.look().kind(self.kind)[spec.uid] = replace(
                entry, spec=spec, status=replace(entry.status, uid=spec.uid)
            )
            return self.observe(spec.uid)


@caught_by("an_update_that_was_cut_off_goes_on")
class GivesUpAfterACutUpdate(ReferenceCompute):
    def update(self, spec):
        entry = self.required(spec.uid)
        return entry.status if entry.status.name == spec.name else super().update(spec)


@caught_by("a_deletion_that_was_cut_off_goes_on", "a_creation_that_was_cut_off_can_be_deleted")
class DeletesOnlyWhatIsWhole(ReferenceCompute):
    def delete(self, uid) -> None:
        entry = self.entry(uid)
        if entry is not None and entry.complete:
            entry.complete = False
            super().delete(uid)


@caught_by("a_provider_that_does_not_answer_is_a_transient_error")
class LeaksConnectionError(ReferenceCompute):
    def look(self) -> Provider:
        if self.settings.endpoint == "nowhere":
            raise ConnectionRefusedError("no such host")
        return super().look()


@caught_by("settings_that_cannot_work_are_named")
class BlamesTheNetwork(ReferenceCompute):
    def prepare(self) -> None:
        if not self.settings.endpoint:
            raise UnreachableError("no answer")
        super().prepare()


class Meeting:
    """Where all threads of a test come together between looking and leaping."""

    def __init__(self) -> None:
        self.barrier = threading.Barrier(6, timeout=20)

    def wait(self) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            self.barrier.wait()


@caught_by("the_same_creation_at_once_makes_one")
class LooksBeforeItLeaps(ReferenceCompute):
    """Takes its own other thread for a stranger."""

    meeting = Meeting()

    def create(self, spec):
        entries = self.look().kind(self.kind)
        if spec.uid not in entries:
            self.meeting.wait()
            with self.look().lock:
                if spec.uid in entries:
                    raise ConflictError("somebody else has made it")
                return super().create(spec)
        return super().create(spec)


@caught_by("different_creations_at_once_make_all")
class HandlesOneAtATime(ReferenceCompute):
    busy = threading.Lock()
    met_another = threading.Event()

    def create(self, spec):
        if not self.busy.acquire(blocking=False):
            self.met_another.set()
            raise RuntimeError("not thread-safe")
        self.met_another.wait(20)
        made = super().create(spec)
        self.busy.release()
        return made


@caught_by("the_same_deletion_at_once_is_success")
class DeletesWithoutALock(ReferenceCompute):
    meeting = Meeting()

    def delete(self, uid) -> None:
        if self.entry(uid) is not None:
            self.meeting.wait()
            del self.look().kind(self.kind)[uid]
