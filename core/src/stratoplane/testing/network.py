# SPDX-License-Identifier: Apache-2.0
"""Conformance of network drivers."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_network
from typing import ClassVar
from uuid import UUID

import pytest

from stratoplane.driver_kinds import NETWORK, DriverKind
from stratoplane.drivers import Driver
from stratoplane.errors import ConflictError
from stratoplane.ids import new_id
from stratoplane.network import NetworkMode, NetworkSpec
from stratoplane.testing.bench import Workbench
from stratoplane.testing.features import ForeignObjects, Import
from stratoplane.testing.lifecycle import Conflict, Convergence, Deletion, Idempotency, Identity, Leftovers
from stratoplane.testing.shape import Conformance, Shape
from stratoplane.testing.trouble import Concurrency, Errors, Interruptions

DEFAULT_RANGES = tuple(f"10.{213 + number // 16}.{number % 16}.0/24" for number in range(64))


def network_bench(
    driver: Driver,
    project_id: UUID,
    ranges: Sequence[str],
    *,
    patience: float = 120.0,
    longest_call: float = 60.0,
) -> Workbench:
    """Return a bench for networks, each with the next of ``ranges``."""
    following = itertools.cycle(ranges)

    def new_spec() -> NetworkSpec:
        cidr = ip_network(next(following))
        gateway = str(cidr.network_address + 1)
        return NetworkSpec(uid=new_id(), project_id=project_id, name="conformance", cidr=str(cidr), gateway=gateway)

    return Workbench(
        driver=driver,
        kind=NETWORK,
        new_spec=new_spec,
        changed=lambda spec: replace(spec, name="renamed"),
        other_shape=lambda spec: replace(spec, mode=NetworkMode.ISOLATED),
        patience=patience,
        longest_call=longest_call,
    )


class Ranges:
    """A network keeps the range it was made with."""

    @pytest.mark.parametrize("mode", list(NetworkMode))
    def test_every_mode_is_made(self, bench: Workbench, mode: NetworkMode) -> None:
        spec = replace(bench.new_spec(), mode=mode)

        assert bench.create(spec).mode is mode

    def test_an_update_does_not_change_the_range(self, bench: Workbench) -> None:
        spec, other = bench.new_spec(), bench.new_spec()
        made = bench.create(spec)

        with pytest.raises(ConflictError):
            bench.update(replace(spec, cidr=other.cidr, gateway=other.gateway))

        assert bench.observe(spec.uid) == made

    def test_a_new_network_is_active(self, bench: Workbench) -> None:
        assert bench.create(bench.new_spec()).active


class NetworkConformance(
    Shape,
    Identity,
    Idempotency,
    Conflict,
    Deletion,
    Convergence,
    Leftovers,
    Ranges,
    ForeignObjects,
    Import,
    Interruptions,
    Errors,
    Concurrency,
    Conformance,
):
    """Inherit it, say how to make the driver, and every test of network drivers runs.

    Attributes:
        ranges: ranges for the networks, which do not overlap one another or anything of the provider's.
    """

    driver_kind: ClassVar[DriverKind] = NETWORK
    ranges: ClassVar[Sequence[str]] = DEFAULT_RANGES

    @pytest.fixture
    def bench(self, driver: Driver, project_id: UUID) -> Iterator[Workbench]:
        """Return the bench of the driver's networks."""
        bench = network_bench(driver, project_id, self.ranges, patience=self.patience, longest_call=self.longest_call)
        yield bench
        bench.tidy()
