# SPDX-License-Identifier: Apache-2.0
"""A distribution adds a kind and its driver interface; what is broken is listed with its reason."""

import sys
from collections.abc import Callable

import pytest

from stratoplane.driver_kinds import KIND_GROUP
from stratoplane.registry import ExtensionState, driver_group, load_driver, load_driver_kinds

Offer = Callable[..., str]

KIND = """
import abc
from dataclasses import dataclass
from uuid import UUID
from stratoplane.driver_kinds import DriverKind
from stratoplane.drivers import Ability, Driver

@dataclass(frozen=True)
class Spec:
    uid: UUID

@dataclass(frozen=True)
class Status:
    uid: UUID
    def drift(self, spec): return frozenset()

class Contract(Driver):
    interface = "clock"
    @abc.abstractmethod
    def observe(self, uid): ...
    @abc.abstractmethod
    def create(self, spec): ...
    @abc.abstractmethod
    def update(self, spec): ...
    @abc.abstractmethod
    def delete(self, uid): ...
    @abc.abstractmethod
    def list(self): ...

KIND = DriverKind(name="alarm", interface="clock", driver=Contract, spec=Spec, status=Status)
"""

ABILITY_KIND = """
from stratoplane.driver_kinds import BUCKET, DriverKind

KIND = DriverKind(name="hand", interface="clock", driver=BUCKET.driver, spec=BUCKET.spec, status=BUCKET.status,
                  methods=BUCKET.methods)
"""

DRIVER = """
from stratoplane.drivers import Capacity
import {module}

class Driver({module}.Contract):
    def prepare(self): ...
    def capacity(self): return Capacity()
    def observe(self, uid): ...
    def create(self, spec): ...
    def update(self, spec): ...
    def delete(self, uid): ...
    def list(self): return ()
"""


def extension_of(extensions, name):
    [found] = [each for each in extensions if each.name == name]
    return found


def test_without_plugins_there_are_the_built_in_ones():
    kinds, _ = load_driver_kinds([])

    assert {kind.name: kind.interface for kind in kinds} == {
        "virtual_machine": "compute",
        "network": "network",
        "volume": "storage",
        "bucket": "storage",
    }


def test_an_enabled_one_brings_its_interface(offer: Offer):
    offer(KIND_GROUP, "alarm", KIND, attribute="KIND")

    kinds, _ = load_driver_kinds(["alarm"])

    alarm = kinds.get("alarm")
    assert alarm is not None
    assert kinds.contract_of("clock") is alarm.driver
    create = kinds.verb("alarm", "create")
    assert create is not None
    assert create.takes is not None
    assert create.takes.__name__ == "Spec"


def test_a_driver_of_its_interface_is_loaded(offer: Offer):
    module = offer(KIND_GROUP, "alarm", KIND, attribute="KIND")
    offer(driver_group("clock"), "quartz", DRIVER.format(module=module), attribute="Driver")
    kinds, _ = load_driver_kinds(["alarm"])

    assert load_driver("clock", "quartz", kinds).state is ExtensionState.LOADED
    without = load_driver("clock", "quartz")
    assert (without.state, without.reason) == (
        ExtensionState.BROKEN,
        "no enabled driver kind has the interface clock",
    )


def test_what_is_not_enabled_is_listed_and_not_imported(offer: Offer):
    module = offer(KIND_GROUP, "alarm", KIND, attribute="KIND")

    kinds, extensions = load_driver_kinds([])

    assert extension_of(extensions, "alarm").state is ExtensionState.DISABLED
    assert (kinds.get("alarm"), module in sys.modules) == (None, False)


def test_another_kind_joins_an_interface_that_was_enabled_before(offer: Offer):
    offer(KIND_GROUP, "alarm", KIND, attribute="KIND")
    offer(KIND_GROUP, "hand", ABILITY_KIND, attribute="KIND")

    kinds, _ = load_driver_kinds(["alarm", "hand"])
    hand, observe = kinds.get("hand"), kinds.verb("hand", "observe")
    assert hand is not None
    assert observe is not None
    assert observe.method == "observe_bucket"
    assert (hand.is_primary, kinds.verb("hand", "adopt")) == (False, None)

    _, extensions = load_driver_kinds(["hand", "alarm"])
    assert extension_of(extensions, "hand").reason == "no kind enabled before this one brings the interface clock"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("KIND = 7", "7 is not a stratoplane.driver_kinds.DriverKind"),
        (KIND.replace('"alarm"', '"bell"'), "the entry point is named alarm, but its kind bell"),
        (KIND.replace('"clock"', '"storage"'), "the interface storage has a contract already"),
        (KIND.replace('"clock"', '"plugins"'), "'plugins' cannot name a kind or an interface"),
        (KIND.replace('"clock"', '"Clock"'), "'Clock' cannot name a kind or an interface"),
        (KIND.replace('interface = "clock"', ""), "Contract.interface must be 'clock'"),
        (KIND.replace("driver=Contract", "driver=Spec"), "Spec must inherit stratoplane.drivers.Driver"),
        (KIND.replace("driver=Contract", "driver=None"), "TypeError"),
        (KIND.replace("def delete", "def remove"), "missing methods: Contract.delete"),
    ],
)
def test_a_broken_one_is_listed_with_its_reason_and_the_rest_works(offer: Offer, source: str, reason: str):
    offer(KIND_GROUP, "alarm", source, attribute="KIND")

    kinds, extensions = load_driver_kinds(["alarm"])

    found = extension_of(extensions, "alarm")
    assert found.state is ExtensionState.BROKEN
    assert reason in found.reason
    assert [kind.name for kind in kinds] == ["virtual_machine", "network", "volume", "bucket"]


def test_a_built_in_kind_cannot_be_replaced(offer: Offer):
    offer(KIND_GROUP, "volume", KIND.replace('"alarm"', '"volume"'), attribute="KIND")

    _, extensions = load_driver_kinds(["volume"])

    assert extension_of(extensions, "volume").reason == "the kind volume already exists"
