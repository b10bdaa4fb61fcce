# SPDX-License-Identifier: Apache-2.0
"""Listening through what a database does in its life: a server that only reads, one that ends its connections."""

import logging
from contextlib import closing
from itertools import islice

import psycopg
import pytest

from engine.tests.standby import standby
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.listen import Heard, notifications

CHANNEL = "of_a_test"


def test_who_listens_outlives_a_server_in_recovery_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="stratoplane_engine.db.listen")
    with standby() as server, closing(notifications(server.url, [CHANNEL], idle_seconds=60)) as heard:
        assert list(islice(heard, 3)) == [Heard(connected=False)] * 3
        server.promote()
        assert next(each for each in heard if each.connected) == Heard()
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("SELECT pg_notify(%s, 'word')", [CHANNEL])
        assert next(heard).payloads == {"word"}

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "recovery" in caplog.messages[0]


def test_who_listens_connects_again_after_its_connection_was_ended(bare_database: Database) -> None:
    with closing(notifications(bare_database.url, [CHANNEL], idle_seconds=60)) as heard:
        assert next(heard) == Heard()
        with psycopg.connect(bare_database.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%of_a_test%'"
            )
        assert next(heard) == Heard(connected=False)
        assert next(heard) == Heard()
