# SPDX-License-Identifier: Apache-2.0
"""What a request waits for: how often it goes to PostgreSQL and back, as libpq itself tells."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.pq import Trace

from stratoplane_engine.db.connection import Database
from stratoplane_engine.model.listing import Page
from stratoplane_engine.services import volumes

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld

Counted = Callable[[Callable[[], object]], int]


@contextmanager
def traced(database: Database, path: Path) -> Iterator[None]:
    """Let libpq write down every message of the one connection that ``database`` has."""
    with database.system() as connection:
        driver = connection._driver()  # no interface shows the connection itself
    assert isinstance(driver, psycopg.Connection)
    with path.open("w") as file:
        driver.pgconn.trace(file.fileno())
        driver.pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
        yield
        driver.pgconn.untrace()


def turns(lines: list[str]) -> int:
    """Return how often the client spoke and then waited: messages of one flush stand together."""
    speakers = [line.split("\t")[0] for line in lines]
    return sum(now == "F" and before != "F" for before, now in zip(["B", *speakers], speakers, strict=False))


@pytest.fixture
def round_trips(fresh_tenant: "TenantWorld", tmp_path: Path) -> Iterator[Counted]:
    """``round_trips(ask)``: how many a request takes, once its statements are prepared."""
    url = fresh_tenant.database.url
    database = Database(url, pool_size=1, spare=0, application="tests")
    fresh_tenant.database = database

    def count(ask: Callable[[], object]) -> int:
        for _ in range(6):
            ask()
        path = tmp_path / "trace"
        with traced(database, path):
            ask()
        return turns(path.read_text().splitlines())

    yield count
    database.close()


def test_a_create_resolves_in_one_and_writes_in_another(fresh_tenant: "TenantWorld", round_trips: Counted) -> None:
    assert round_trips(lambda: fresh_tenant.create("volume", size_gib=1)) == 2


def test_a_network_waits_for_those_before_it_without_one_more(
    fresh_tenant: "TenantWorld", round_trips: Counted
) -> None:
    ranges = iter(f"10.{number}.0.0/24" for number in range(100))
    assert round_trips(lambda: fresh_tenant.create("network", cidr=next(ranges))) == 2


def test_a_change_and_a_deletion_lock_and_resolve_in_one_and_write_in_another(
    fresh_tenant: "TenantWorld", round_trips: Counted
) -> None:
    volume = fresh_tenant.made("volume", size_gib=1)
    sizes = iter(range(2, 100))
    assert round_trips(lambda: fresh_tenant.update(volume, size_gib=next(sizes))) == 2

    left = iter([fresh_tenant.create("volume", size_gib=1) for _ in range(7)])
    assert round_trips(lambda: fresh_tenant.delete(next(left))) == 2


def test_a_read_and_a_page_are_one_each_and_one_more_where_a_job_is_under_way(
    fresh_tenant: "TenantWorld", round_trips: Counted
) -> None:
    database, context, project_id = fresh_tenant.database, fresh_tenant.context(), fresh_tenant.project_id
    made = [fresh_tenant.create("volume", size_gib=1) for _ in range(3)]

    def read_one_and_all() -> tuple[int, int]:
        one = round_trips(lambda: fresh_tenant.get(made[0]))
        return one, round_trips(lambda: volumes.list_volumes(database, context, project_id, Page(limit=10)))

    # Why those jobs wait is asked once, for all of them.
    assert read_one_and_all() == (2, 2)
    fresh_tenant.settle()
    assert read_one_and_all() == (1, 1)
