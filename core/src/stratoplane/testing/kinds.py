# SPDX-License-Identifier: Apache-2.0
"""Conformance of drivers for kinds that plugins add."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stratoplane.drivers import Driver
from stratoplane.testing.bench import Workbench
from stratoplane.testing.features import ForeignObjects, Import
from stratoplane.testing.lifecycle import Conflict, Convergence, Deletion, Idempotency, Identity, Leftovers
from stratoplane.testing.shape import Conformance, Shape
from stratoplane.testing.trouble import Concurrency, Errors, Interruptions

MakeSpec = Callable[[], Any]
ChangeSpec = Callable[[Any], Any]


class KindConformance(
    Shape,
    Identity,
    Idempotency,
    Conflict,
    Deletion,
    Convergence,
    Leftovers,
    ForeignObjects,
    Import,
    Interruptions,
    Errors,
    Concurrency,
    Conformance,
):
    """Inherit it, name the kind, say how to make the driver and specifications, and the tests of every kind run.

    The class attribute ``driver_kind`` is the :class:`~stratoplane.driver_kinds.DriverKind`, whose driver class must be
    the contract of its interface. The kind's own verbs and rules need tests of the author's.

    Required fixtures beside ``driver``:

    - ``new_spec``: a function that returns the specification of a new object, each time another ``uid`` and the same
      name.
    - ``changed``: a function that makes from a specification one that ``update`` can bring the object to.

    Optional fixtures beside those of :class:`~stratoplane.testing.shape.Conformance`: ``other_shape``, a function that
    makes from a specification one that no driver can bring an existing object to.
    """

    @pytest.fixture
    def new_spec(self) -> MakeSpec:
        """Return a function that makes the specification of a new object."""
        pytest.fail("the test class must have a fixture named new_spec")

    @pytest.fixture
    def changed(self) -> ChangeSpec:
        """Return a function that changes a specification as an update may."""
        pytest.fail("the test class must have a fixture named changed")

    @pytest.fixture
    def other_shape(self) -> ChangeSpec | None:
        """Return None: without an author's own fixture, objects can be brought to every specification."""
        return None

    @pytest.fixture
    def bench(
        self, driver: Driver, new_spec: MakeSpec, changed: ChangeSpec, other_shape: ChangeSpec | None
    ) -> Iterator[Workbench]:
        """Return the bench of the driver's objects."""
        bench = Workbench(
            driver=driver,
            kind=self.driver_kind,
            new_spec=new_spec,
            changed=changed,
            other_shape=other_shape,
            patience=self.patience,
            longest_call=self.longest_call,
        )
        yield bench
        bench.tidy()
