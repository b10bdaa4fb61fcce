# SPDX-License-Identifier: Apache-2.0
"""Tenants with a cluster each, whose agents the tests play."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from engine.tests.lifecycle.tenant_world import TenantWorld, build_world
from stratoplane_engine.db.connection import Database


@pytest.fixture
def fresh_database_url(postgresql_server: str, database_template: str) -> Iterator[str]:
    """URL of a migrated database that nobody else touches."""
    name = f"alone_{uuid4().hex}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        names = (sql.Identifier(name), sql.Identifier(database_template))
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        yield make_url(postgresql_server).set(database=name).render_as_string(hide_password=False)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def fresh_database(fresh_database_url: str) -> Iterator[Database]:
    """A migrated database that nobody else touches."""
    opened = Database(fresh_database_url, application="tests")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def build_site() -> Callable[[Database], TenantWorld]:
    """``build_site(database)`` puts a new tenant with a cluster of its own into a database."""
    return build_world


@pytest.fixture
def site(database: Database) -> Iterator[TenantWorld]:
    """A tenant with a cluster of its own; other tests' clusters and jobs are out of the way."""
    made = build_world(database)
    yield made
    made.execute("UPDATE cluster SET deleted_at = clock_timestamp() WHERE deleted_at IS NULL")
    made.execute("UPDATE job SET state = 'CANCELLED' WHERE state IN ('PENDING', 'RUNNING', 'RETRYING')")


@pytest.fixture
def fresh_site(fresh_database: Database) -> TenantWorld:
    """A tenant with a cluster, alone in a database."""
    return build_world(fresh_database)


@pytest.fixture
def other_site(site: TenantWorld) -> TenantWorld:
    """Another organization beside ``site``, with a cluster of its own."""
    return build_world(site.database)
