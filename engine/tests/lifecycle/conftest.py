# SPDX-License-Identifier: Apache-2.0
"""Tenants with a cluster each, whose agents the tests play."""

from collections.abc import Callable, Iterator

import pytest

from engine.tests.lifecycle.tenant_world import TenantWorld, build_world
from stratoplane_engine.db.connection import Database


@pytest.fixture(scope="session")
def build_tenant() -> Callable[[Database], TenantWorld]:
    """``build_tenant(database)`` puts a new tenant with a cluster of its own into a database."""
    return build_world


@pytest.fixture
def tenant(database: Database) -> Iterator[TenantWorld]:
    """A tenant with a cluster of its own; other tests' clusters and jobs are out of the way."""
    made = build_world(database)
    yield made
    made.execute("UPDATE cluster SET deleted_at = clock_timestamp() WHERE deleted_at IS NULL")
    made.execute("UPDATE job SET state = 'CANCELLED' WHERE state IN ('PENDING', 'RUNNING', 'RETRYING')")


@pytest.fixture
def fresh_tenant(fresh_database: Database) -> TenantWorld:
    """A tenant with a cluster, alone in a database."""
    return build_world(fresh_database)


@pytest.fixture
def other_tenant(tenant: TenantWorld) -> TenantWorld:
    """Another organization beside ``tenant``, with a cluster of its own."""
    return build_world(tenant.database)
