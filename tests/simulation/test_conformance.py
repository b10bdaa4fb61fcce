# SPDX-License-Identifier: Apache-2.0
"""The store in memory does what PostgreSQL does, whatever is asked of both: or the simulation would prove nothing."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.migrate import upgrade
from tests.simulation.twin import Twin

# The first courses are run each time, all of them by `make test-long`.
SOON, COURSES = 2, 20
STEPS = 150


@pytest.fixture(scope="module")
def template(postgresql_server: str) -> Iterator[str]:
    """Name of a migrated database that nobody is connected to."""
    name = f"twin_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        upgrade(_url(postgresql_server, name))
        yield name
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database(postgresql_server: str, template: str) -> Iterator[Database]:
    """A migrated database that nobody else touches."""
    name = f"twin_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        names = (sql.Identifier(name), sql.Identifier(template))
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(*names))
        opened = Database(_url(postgresql_server, name), pool_size=1, application="tests")
        yield opened
        opened.close()
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _url(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.mark.parametrize(
    "seed", [*range(SOON), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(SOON, COURSES))]
)
def test_the_store_in_memory_does_what_postgresql_does(database, seed):
    twin = Twin(database, seed)

    done = [twin.step() for _ in range(STEPS)]

    assert {"_claim", "_persist", "_offer", "_acknowledge", "_report", "_sweep"} <= {*done}
    assert len(twin.tables.jobs) > 2
