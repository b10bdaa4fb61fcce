# SPDX-License-Identifier: Apache-2.0
"""What every conformance class shares, and the tests of a driver's outside."""

import dataclasses
import inspect
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import pytest

from stratoplane import CONTRACT
from stratoplane.driver_kinds import DriverKind
from stratoplane.drivers import Ability, AgentContext, Capacity, Driver, UsageSample
from stratoplane.registry import shape_problem
from stratoplane.settings import NoSettings, help_of

REPEAT = pytest.StashKey[int]()
"""How often idempotent verbs are repeated, when the report's command says it."""


class Conformance:
    """Root of the conformance classes.

    Fixtures to override: ``driver`` (required), a prepared driver of an installation that has nothing yet.
    Optional ones, each of which opens tests:

    - ``crashing_driver``: a function that takes a number n and returns a driver of the same provider and
      installation, whose next changing call is cut off at its n-th step at the provider by
      :class:`~stratoplane.testing.Interruption` or an UncertainError. A call of fewer steps goes through.
    - ``unreachable_driver``: a driver, not prepared, whose provider does not answer.
    - ``add_foreign``: a function that makes an object of somebody else at the provider and returns its reference.
    - ``misconfigured_driver``: a driver, not prepared, whose settings cannot work.

    Attributes:
        driver_kind: the kind of object that is tested; the kit's classes name theirs.
        repeat: how often idempotent verbs are called in a row.
        patience: seconds that one object may take to settle.
        longest_call: seconds after which one call counts as blocking.
        callers: how many threads call at once.
    """

    __test__ = False
    driver_kind: ClassVar[DriverKind]
    repeat: ClassVar[int] = 3
    patience: ClassVar[float] = 120.0
    longest_call: ClassVar[float] = 60.0
    callers: ClassVar[int] = 6

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.__test__ = not cls.__module__.startswith("stratoplane.testing.")

    @pytest.fixture
    def driver(self) -> Driver:
        """Return the prepared driver under test."""
        pytest.fail("the test class must have a fixture named driver")

    @pytest.fixture
    def add_foreign(self) -> Callable[[], str] | None:
        """Return None: without an author's own fixture, the provider has no objects of others."""
        return None

    @pytest.fixture
    def crashing_driver(self) -> Callable[[int], Driver] | None:
        """Return None: without an author's own fixture, nothing is cut off."""
        return None

    @pytest.fixture
    def unreachable_driver(self) -> Driver | None:
        """Return None: without an author's own fixture, every provider answers."""
        return None

    @pytest.fixture
    def misconfigured_driver(self) -> Driver | None:
        """Return None: without an author's own fixture, all settings are right."""
        return None

    @pytest.fixture
    def project_id(self) -> UUID:
        """Return the owner of everything that the test makes."""
        return uuid.uuid4()

    @pytest.fixture
    def times(self, request: pytest.FixtureRequest) -> int:
        """Return how often idempotent verbs are called in a row."""
        return request.config.stash.get(REPEAT, self.repeat)

    @pytest.fixture
    def crowd(self) -> int:
        """Return how many threads call at once."""
        return self.callers

    @pytest.fixture
    def foreign_driver(self, driver: Driver) -> Driver:
        """Return a driver of another installation on the same provider."""
        return sibling(driver, installation_id=uuid.uuid4())

    @pytest.fixture(autouse=True)
    def conformance_record(self, request: pytest.FixtureRequest, driver: Driver) -> None:
        """Leave a note for the report: which driver this was."""
        facts = {
            "driver": f"{type(driver).__module__}:{type(driver).__qualname__}",
            "interface": str(driver.interface),
            "contract": ".".join(str(number) for number in driver.contract),
            "production_ready": driver.production_ready,
            "features": sorted(driver.features()),
        }
        request.node.user_properties.append(("conformance", facts))


def sibling(driver: Driver, *, installation_id: UUID | None = None) -> Driver:
    """Return another prepared driver object with the same settings, for the same provider and state folder."""
    context = AgentContext(
        installation_id=installation_id or driver.context.installation_id,
        cluster_id=driver.context.cluster_id,
        state_folder=driver.context.state_folder,
    )
    other = type(driver)(driver.settings, context)
    other.prepare()
    return other


def offered(driver: Driver, ability: type[Any]) -> Any:
    """Return ``driver`` as one that has ``ability``, or skip the test and name the feature."""
    if not isinstance(driver, ability):
        feature = ability.feature if issubclass(ability, Ability) else ability.__name__
        pytest.skip(f"the driver does not offer {feature}")
    return driver


class Shape:
    """The driver as the registry, the documents and the agent see it."""

    driver_kind: ClassVar[DriverKind]

    def test_the_registry_would_load_it(self, driver: Driver) -> None:
        assert shape_problem(type(driver), self.driver_kind.driver) == ""

    def test_it_names_the_contract_it_was_written_for(self, driver: Driver) -> None:
        assert driver.contract[0] == CONTRACT[0]
        assert driver.contract[1] <= CONTRACT[1], "written for a newer contract than the one that tests it"

    def test_its_settings_are_frozen_and_say_what_they_mean(self, driver: Driver) -> None:
        settings = type(driver).Settings

        assert dataclasses.is_dataclass(settings)
        assert getattr(settings, "__dataclass_params__").frozen, "settings must be a frozen dataclass"  # noqa: B009
        assert [field.name for field in dataclasses.fields(settings) if not help_of(field).help] == []
        assert isinstance(driver.settings, (settings, NoSettings))

    def test_its_features_are_those_of_its_classes(self, driver: Driver) -> None:
        assert inspect.getattr_static(type(driver), "features") is inspect.getattr_static(Driver, "features")

    def test_making_the_object_touches_nothing(self, driver: Driver, tmp_path: Path) -> None:
        absent = tmp_path / "absent"
        context = AgentContext(installation_id=uuid.uuid4(), cluster_id=uuid.uuid4(), state_folder=absent)

        type(driver)(driver.settings, context)

        assert not absent.exists()

    def test_preparing_it_again_is_harmless(self, driver: Driver) -> None:
        before = driver.capacity()

        driver.prepare()

        assert driver.capacity() == before

    def test_its_capacity_is_not_negative(self, driver: Driver) -> None:
        capacity = driver.capacity()

        assert isinstance(capacity, Capacity)
        assert min(dataclasses.astuple(capacity)) >= 0

    def test_its_usage_is_made_of_samples(self, driver: Driver) -> None:
        samples = list(driver.usage())

        assert all(isinstance(sample, UsageSample) for sample in samples)
        assert all(value >= 0 for sample in samples for value in sample.readings.values())
