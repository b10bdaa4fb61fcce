# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin, in sessions of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stratoplane_embedded import processes

# Seconds for what must happen: only a fault, never a busy machine, makes a test wait so long.
PATIENCE = 120


@pytest.fixture
def temporary(short_folder, monkeypatch):
    """Where the plugin of an inner session makes its folders."""
    monkeypatch.setenv("TMPDIR", str(short_folder))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other people's plugins take seconds to load
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p stratoplane_embedded.testing")
    for name in ("STRATOPLANE_TEST_DATABASE_URL", "STRATOPLANE_TEST_REDIS_URL", "STRATOPLANE_TEST_FSYNC"):
        monkeypatch.delenv(name, raising=False)
    return short_folder


def _left(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith("stratoplane-")]


def test_both_servers_answer(postgresql_server, valkey_url, query, command):
    assert query(postgresql_server, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [("t",)]
    assert command(valkey_url, "PING") == "+PONG"


def test_nothing_starts_unless_asked_for(pytester, temporary):
    pytester.makepyfile(f"""
        from pathlib import Path
        def test_nothing():
            assert not list(Path({str(temporary)!r}).glob("stratoplane-*"))
    """)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_everything_is_gone_afterwards(pytester, temporary):
    pytester.makepyfile(f"""
        from pathlib import Path
        def test_both(postgresql_server, valkey_url):
            assert len(list(Path({str(temporary)!r}).glob("stratoplane-test-*"))) == 2
    """)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    assert _left(temporary) == []


def test_each_worker_has_its_own(pytester, temporary):
    pytest.importorskip("xdist")
    pytester.makepyfile("""
        import pytest
        @pytest.mark.parametrize("number", range(2))
        def test_url(postgresql_server, number):
            with open("urls", "a") as urls:
                urls.write(postgresql_server + "\\n")
    """)
    pytester.runpytest_subprocess("-p", "xdist", "-n2", "--dist=each").assert_outcomes(passed=4)
    assert len(set((pytester.path / "urls").read_text().split())) == 2
    assert _left(temporary) == []


# What a shell has put into the background is born deaf to Ctrl-C, and its children with it.
_HEEDS_CTRL_C = """
import signal, sys, pytest
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(pytest.main(["-q"]))
"""


def test_ctrl_c_stops_the_servers(pytester, temporary):
    pytester.makepyfile("""
        from pathlib import Path
        from threading import Event
        def test_forever(postgresql_server, valkey_url):
            Path("started").touch()
            Event().wait()
    """)
    session = subprocess.Popen(
        [sys.executable, "-c", _HEEDS_CTRL_C],
        cwd=pytester.path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert processes.wait_until((pytester.path / "started").exists, PATIENCE)
    session.send_signal(signal.SIGINT)
    assert session.wait(PATIENCE) == pytest.ExitCode.INTERRUPTED
    assert _left(temporary) == []


def test_servers_of_your_own(pytester, temporary, monkeypatch):
    monkeypatch.setenv("STRATOPLANE_TEST_DATABASE_URL", "postgresql://me@example/admin")
    monkeypatch.setenv("STRATOPLANE_TEST_REDIS_URL", "redis://example:6379")
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw3")
    pytester.makepyfile("""
        def test_urls(postgresql_server, valkey_url):
            assert postgresql_server == "postgresql://me@example/admin"
            assert valkey_url == "redis://example:6379/3"
    """)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    assert _left(temporary) == []


@pytest.mark.parametrize(("variable", "fsync"), [("1", "on"), ("0", "off")])
def test_waiting_for_the_disk_is_a_choice(pytester, temporary, monkeypatch, variable, fsync):
    monkeypatch.setenv("STRATOPLANE_TEST_FSYNC", variable)
    pytester.makepyfile(f"""
        from pathlib import Path
        def test_setting(postgresql_server):
            folder = Path(postgresql_server.split("host=")[1]).parent
            written = (folder / "data" / "stratoplane.conf").read_text()
            assert ("fsync = off" in written) == ({fsync!r} == "off")
    """)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
