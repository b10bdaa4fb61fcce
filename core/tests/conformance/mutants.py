# SPDX-License-Identifier: Apache-2.0
"""Drivers with one thing wrong each, and the test of the kit that must find it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from reference import (
    Entry,
    Provider,
    ReferenceCompute,
    ReferenceSettings,
)

from stratoplane.drivers import Capacity, Driver, Feature, UsageSample
from stratoplane.errors import BusyError, ConflictError
from stratoplane.jobs import Wait


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A broken driver, the suite that it runs in, and the tests that must fail."""

    driver: type[Driver]
    suite: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"Test{self.suite.title()}{self.driver.__name__}"


MUTANTS: list[Mutant] = []


def caught_by(*tests: str, suite: str = "compute") -> Callable[[type[Any]], type[Any]]:
    """Enter a broken driver, with the names of the tests that must catch it."""

    def enter(driver: type[Any]) -> type[Any]:
        MUTANTS.append(Mutant(driver=driver, suite=suite, tests=tuple(f"test_{test}" for test in tests)))
        return driver

    return enter


# --- shape --------------------------------------------------------------------------------------------------------


@caught_by("the_registry_would_load_it", "it_names_the_contract_it_was_written_for")
class ForAnotherContract(ReferenceCompute):
    contract = (2, 0)


@caught_by("it_names_the_contract_it_was_written_for")
class ForALaterContract(ReferenceCompute):
    contract = (1, 99)


@dataclass
class LooseSettings:
    endpoint: str = "here"


@caught_by("its_settings_are_frozen_and_say_what_they_mean")
class WithLooseSettings(ReferenceCompute):
    Settings = LooseSettings


@caught_by("its_features_are_those_of_its_classes")
class PromisesTooMuch(ReferenceCompute):
    def features(self):
        return super().features() | {Feature.BUCKETS}


@caught_by("making_the_object_touches_nothing")
class WorksInItsConstructor(ReferenceCompute):
    def __init__(self, settings: ReferenceSettings, context: Any) -> None:
        super().__init__(settings, context)
        Path(context.state_folder).mkdir(exist_ok=True)


@caught_by("preparing_it_again_is_harmless")
class PreparesOnce(ReferenceCompute):
    def prepare(self) -> None:
        if hasattr(self, "prepared"):
            raise RuntimeError("prepared already")
        self.prepared = True


@caught_by("its_capacity_is_not_negative")
class WithNegativeCapacity(ReferenceCompute):
    def capacity(self) -> Capacity:
        return Capacity(vcpus=-1)


@caught_by("its_usage_is_made_of_samples")
class WithNegativeUsage(ReferenceCompute):
    def usage(self):
        return [UsageSample(uid=uuid4(), readings={"cpu_seconds": -1.0})]


# --- identity -----------------------------------------------------------------------------------------------------


@caught_by("what_was_never_made_is_observed_as_none")
class RaisesForAbsence(ReferenceCompute):
    def observe(self, uid):
        return self.required(uid).status


@caught_by("what_was_created_is_observed_as_it_should_be", "creating_again_adopts_what_is_there")
class ChoosesItsOwnIds(ReferenceCompute):
    def create(self, spec):
        return super().create(replace(spec, uid=uuid4()))


@caught_by("what_was_created_is_listed_once")
class ListsNothing(ReferenceCompute):
    def list(self):
        return []


@caught_by("what_was_created_is_listed_once")
class ListsTwice(ReferenceCompute):
    def list(self):
        return [*super().list(), *super().list()]


@caught_by("another_driver_object_finds_what_this_one_made")
class RemembersInTheObject(ReferenceCompute):
    def look(self) -> Provider:
        if not hasattr(self, "own"):
            self.own = Provider()
        return self.own


@caught_by("what_was_created_is_observed_as_it_should_be")
class AnswersWhatCannotTravel(ReferenceCompute):
    def create(self, spec):
        return replace(super().create(spec), private={"connection": object()})


@caught_by("another_installation_does_not_see_it", "another_installation_cannot_delete_it")
class OwnsEverything(ReferenceCompute):
    def observe(self, uid):
        found = self.look().kind(self.kind).get(uid)
        return found and found.status

    def list(self):
        return [entry.status for entry in self.look().kind(self.kind).values()]

    def delete(self, uid) -> None:
        self.look().kind(self.kind).pop(uid, None)


@caught_by("an_update_leaves_no_drift", "a_machine_stops_and_runs_again")
class AnswersFromACache(ReferenceCompute):
    def create(self, spec):
        made = super().create(spec)
        self.cached = made
        return made

    def observe(self, uid):
        cached = getattr(self, "cached", None)
        return cached if cached and cached.uid == uid else super().observe(uid)


# --- idempotency, conflict, deletion, convergence -----------------------------------------------------------------


@caught_by("creating_again_adopts_what_is_there", "a_creation_that_was_cut_off_ends_in_exactly_one")
class RefusesWhatItMade(ReferenceCompute):
    def create(self, spec):
        if self.entry(spec.uid):
            raise ConflictError("exists already")
        return super().create(spec)


@caught_by("creating_again_adopts_what_is_there")
class MakesAnotherOne(ReferenceCompute):
    def create(self, spec):
        if entry := self.entry(spec.uid):
            copied = Entry(installation=entry.installation, spec=entry.spec, status=entry.status, complete=True)
            self.look().kind(self.kind)[uuid4()] = copied
        return super().create(spec)


@caught_by("updating_again_changes_nothing")
class AddsToTheName(ReferenceCompute):
    def update(self, spec):
        entry = self.required(spec.uid)
        entry.status = replace(entry.status, name=f"{entry.status.name}+")
        return entry.status


@caught_by("deleting_again_is_success", "deleting_what_never_was_is_success")
class CannotDeleteWhatIsGone(ReferenceCompute):
    def delete(self, uid) -> None:
        self.required(uid)
        super().delete(uid)


@caught_by("creating_with_another_shape_is_refused")
class TakesAnyShape(ReferenceCompute):
    def shape(self, spec):
        return ()


@caught_by("creating_with_another_shape_is_refused")
class ChangesTheShapeAndComplains(ReferenceCompute):
    def create(self, spec):
        if entry := self.entry(spec.uid):
            entry.status = replace(entry.status, vcpus=spec.vcpus)
        return super().create(spec)


@caught_by("what_was_deleted_is_gone", "a_life_leaves_nothing_behind")
class DeletesNothing(ReferenceCompute):
    def delete(self, uid) -> None:
        return


@caught_by("others_stay_as_they_are")
class DeletesEverything(ReferenceCompute):
    def delete(self, uid) -> None:
        self.look().kind(self.kind).clear()


@caught_by("an_update_leaves_no_drift")
class UpdatesNothing(ReferenceCompute):
    def update(self, spec):
        return self.required(spec.uid).status


@caught_by("what_never_was_cannot_be_updated")
class MakesWhatItShouldUpdate(ReferenceCompute):
    def update(self, spec):
        return self.create(spec)


@caught_by("what_never_was_cannot_be_updated")
class LeaksKeyError(ReferenceCompute):
    def required(self, uid):
        return self.look().kind(self.kind)[uid]


@caught_by("others_are_not_updated")
class UpdatesEveryone(ReferenceCompute):
    def update(self, spec):
        for entry in self.look().kind(self.kind).values():
            entry.status = replace(entry.status, name=spec.name, power=spec.power)
        return super().update(spec)


@caught_by("a_life_leaves_nothing_behind")
class LeavesAShadow(ReferenceCompute):
    def create(self, spec):
        self.look().kind(self.kind).setdefault(
            uuid4(), Entry(installation=self.context.installation_id, spec=spec, status=self.first(spec))
        )
        return super().create(spec)


@caught_by("an_update_does_not_resize")
class ResizesOnUpdate(ReferenceCompute):
    def update(self, spec):
        self.resize(spec)
        return super().update(spec)


# --- answers ------------------------------------------------------------------------------------------------------


@caught_by("what_was_created_is_observed_as_it_should_be")
class WaitsForEver(ReferenceCompute):
    def create(self, spec):
        super().create(spec)
        return Wait(seconds=0.05, reason="never")


@caught_by("what_was_created_is_observed_as_it_should_be")
class IsAlwaysBusy(ReferenceCompute):
    def create(self, spec):
        raise BusyError("try again")


@caught_by("what_was_created_is_observed_as_it_should_be")
class WaitsBackwards(ReferenceCompute):
    def create(self, spec):
        return Wait(seconds=-1.0) if self.entry(spec.uid) is None and super().create(spec) else super().create(spec)


@caught_by("what_was_created_is_observed_as_it_should_be")
class Blocks(ReferenceCompute):
    def create(self, spec):
        time.sleep(0.35)
        return super().create(spec)


@caught_by("what_was_deleted_is_gone")
class AnswersTrue(ReferenceCompute):
    def delete(self, uid):
        super().delete(uid)
        return True
