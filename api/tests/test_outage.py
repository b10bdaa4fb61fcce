# SPDX-License-Identifier: Apache-2.0
"""A database that is not there, goes away or comes back: a clear answer each time, and recovery by itself."""

import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from stratoplane_api.app import create_agent_app, create_app
from stratoplane_api.listener import Listener
from stratoplane_api.settings import ApiSettings
from stratoplane_embedded.processes import wait_until
from stratoplane_engine.db.connection import Database
from stratoplane_engine.plugins import Plugins

COMMON = "/api/common/v1"
# Only a fault, never a busy machine, makes a test wait so long.
PATIENCE = 60
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
def nowhere():
    database = Database(NOWHERE, pool_size=1)
    yield database
    database.close()


@pytest.fixture
def cut(postgresql_server, database_url):
    """A context in which the database ends every connection and takes none."""
    name = sql.Identifier(urlsplit(database_url).path.lstrip("/"))

    @contextmanager
    def away():
        with psycopg.connect(postgresql_server, autocommit=True) as connection:
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name._obj[0]]
            )
            try:
                yield
            finally:
                connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))

    return away


def unavailable(answer):
    assert answer.status_code == 503, answer.data
    assert answer.mimetype == "application/problem+json"
    assert int(answer.headers["Retry-After"]) >= 1
    assert "database" in answer.json["detail"]
    assert "Traceback" not in answer.text
    return answer.json


def test_an_application_starts_without_a_database_and_says_what_is_wrong(nowhere):
    client = create_app(nowhere, Plugins.load(()), ApiSettings(database_url=NOWHERE)).test_client()

    unavailable(client.get(f"{COMMON}/health"))
    unavailable(client.post(f"{COMMON}/login", json={"username": "root", "password": "x"}))
    assert client.get(f"{COMMON}/version").status_code == 200


def test_the_agents_application_starts_without_a_database_too(nowhere):
    client = create_agent_app(nowhere, ApiSettings(database_url=NOWHERE)).test_client()

    unavailable(client.post("/api/agent/v1/hello", json={}, headers={"Authorization": "Bearer x"}))


def test_requests_fail_clearly_while_the_database_is_away_and_succeed_after(tenant, cut):
    with cut():
        unavailable(tenant("GET", "/volumes"))
        unavailable(tenant("POST", "/volumes", {"name": "v", "size_gib": 1}))

    assert tenant("GET", "/volumes").json["items"] == []


def test_nobody_listens_any_more_once_the_database_was_closed(database_url, caplog):
    database, heard = Database(database_url, pool_size=1), list[object]()
    Listener(database, "of_a_test", heard.append).ensure()
    [thread] = [each for each in threading.enumerate() if each.name == "listen-of_a_test"]
    assert wait_until(lambda: bool(heard), PATIENCE)
    database.close()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%of_a_test%'"
        )
    thread.join(PATIENCE)

    assert not thread.is_alive()
    assert caplog.messages == []


def test_without_redis_requests_pass_and_health_says_so(database):
    settings = ApiSettings(database_url=NOWHERE, redis_url="redis://127.0.0.1:1/0")
    client = create_app(database, Plugins.load(()), settings).test_client()
    health = client.get(f"{COMMON}/health")

    assert health.status_code == 200
    assert health.json is not None
    assert health.json["status"] == "degraded"
    assert "RateLimit" not in health.headers
