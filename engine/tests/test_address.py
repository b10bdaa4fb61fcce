# SPDX-License-Identifier: Apache-2.0
"""How a database's URL is read: every form for every connection, and one sentence for what cannot be used."""

from collections.abc import Callable
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import pytest

from stratoplane.errors import SettingsError
from stratoplane_engine.db.address import STATEMENT_SECONDS, read_address
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.listen import Heard, notifications
from stratoplane_engine.db.migrate import upgrade
from stratoplane_engine.db.schema import wanted_revision
from stratoplane_engine.services import health


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("postgresql://u:p@a:1,b:2/d", "a,b", "1,2"),
        ("postgresql://u@/d?host=a:1&host=b:2", "a,b", "1,2"),
        ("postgresql://u@/d?host=a:1,b:2", "a,b", "1,2"),
        ("postgresql://u@/d?host=a&host=b:2", "a,b", "5432,2"),
        ("postgresql://u@/d?host=a&host=b&port=7", "a,b", "7"),
        ("postgresql://u@/d?host=[::1]:1&host=[fe80::2]:2", "::1,fe80::2", "1,2"),
        ("postgresql://u@[::1]:1,[::2]:2/d", "::1,::2", "1,2"),
        ("postgres://u@/d?host=%2Frun%2Fpostgresql", "/run/postgresql", None),
        ("postgresql://u@a/d", "a", None),
    ],
)
def test_hosts_are_read_in_every_form(url: str, host: str, port: str | None) -> None:
    found = read_address(url).parameters

    assert found["host"] == host
    assert found.get("port") == port
    assert found["dbname"] == "d"
    assert found.get("target_session_attrs") == ("read-write" if "," in host else None)


def test_what_the_url_says_of_time_goes_before_our_defaults() -> None:
    ours, theirs = (
        read_address("postgresql://a/d"),
        read_address("postgresql://a/d?keepalives_idle=99&connect_timeout=1"),
    )

    assert ours.statement_seconds == STATEMENT_SECONDS
    assert ours.parameters["tcp_user_timeout"] == theirs.parameters["tcp_user_timeout"] == "20000"
    assert theirs.parameters["keepalives_idle"] == "99"
    assert theirs.parameters["connect_timeout"] == "1"
    assert read_address("postgresql://a/d?statement_timeout=1500").statement_seconds == 1.5


def listen(url: str) -> None:
    with closing(notifications(url, ["of_a_test"], idle_seconds=1)) as heard:
        next(heard)


@pytest.mark.parametrize("use", [Database, upgrade, listen])
@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:secret@a/d",
        "postgresql://u:secret@a:1,b:2,c/d?port=1,2",
        "postgresql://u:secret@a:x/d",
        "postgresql://u:secret@a:99999/d",
        "postgresql://u:secret@[::1/d",
        "postgresql://u:secret@a/d?nothing=1",
        "postgresql://u:secret@a/d?statement_timeout=soon",
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence_by_everybody(use: Callable[[str], object], url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        use(url)

    assert "database_url" in refused.value.detail
    assert "\n" not in refused.value.detail
    assert "secret" not in refused.value.detail


def test_two_hosts_serve_every_connection(fresh_database_url: str) -> None:
    """The first of them is a folder in which nobody listens."""
    parts = urlsplit(fresh_database_url)
    folder = parse_qs(parts.query)["host"][0] if parts.query else parts.netloc.rpartition("@")[2]
    url = parts._replace(query=f"host=/nowhere&host={folder}", netloc=f"{parts.username or ''}@").geturl()

    assert upgrade(url) == wanted_revision()
    with closing(Database(url, pool_size=1)) as database:
        health.check_database(database)
    with closing(notifications(url, ["of_a_test"], idle_seconds=1)) as heard:
        assert next(heard) == Heard()
