# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys

import pytest

from stratoplane_embedded.processes import wait_until
from stratoplane_server.addresses import describe_url
from stratoplane_server.enabled_plugins import PluginChoiceError, change_choice, read_choice
from stratoplane_server.process_table import ProcessKey, key_of, memory_bytes, seconds_running
from stratoplane_server.settings import ServerSettings
from stratoplane_server.state import ChildReport, ChildState, StateFolder, SupervisorReport, write_private
from stratoplane_server.tables import duration, render


@pytest.fixture
def folder(tmp_path) -> StateFolder:
    return StateFolder(path=tmp_path / "state")


def test_a_report_comes_back_as_it_was_written(folder):
    folder.make()
    child = ChildReport(
        name="api", state=ChildState.RUNNING, stop_signal=15, stop_seconds=1.5, process=key_of(os.getpid()), restarts=2
    )
    waiting = ChildReport(
        name="worker", state=ChildState.WAITING, stop_signal=2, stop_seconds=20.0, problem="ended with code 1"
    )
    report = SupervisorReport(
        process=key_of(os.getpid()),
        api_url="http://a",
        agent_url="http://b",
        database_url="postgresql://c",
        redis_url="redis://d",
        ready=True,
        children=[child, waiting],
    )
    folder.write_report(report)
    assert folder.read_report() == report


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"process": 1}'])
def test_a_damaged_report_counts_as_absent(folder, text):
    folder.make()
    folder.report.write_text(text)
    assert folder.read_report() is None


def test_private_files_are_private(tmp_path):
    os.umask(previous := os.umask(0))
    write_private(tmp_path / "secret.json", {"password": "x"})
    os.umask(previous)
    assert (tmp_path / "secret.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret.json"]


def test_a_process_is_the_same_only_with_its_start_time():
    me = key_of(os.getpid())
    assert me.alive
    assert not ProcessKey(pid=me.pid, started=me.started + 1).alive
    assert 0 < seconds_running(me) < 100_000


def test_a_dead_process_is_not_alive_whether_reaped_or_not():
    child = subprocess.Popen(["sleep", "1000"])
    key = key_of(child.pid)
    assert key.alive
    child.kill()
    assert wait_until(lambda: not key.alive, 10)
    child.wait()
    assert not key.alive
    key.send(15)


def test_memory_counts_descendants():
    holder = "import sys; x = bytearray(64 << 20); print('held', flush=True); sys.stdin.read()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {holder!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        together, alone = memory_bytes(process.pid), memory_bytes(process.pid, descendants=False)
        assert together is not None
        assert alone is not None
        assert alone < 64 << 20 < together
    assert memory_bytes(process.pid) is None


def test_the_list_of_plugins_is_kept_in_the_state_folder(folder):
    settings = ServerSettings()
    assert read_choice(folder, settings).names == []
    assert change_choice(folder, read_choice(folder, settings), "b", enabled=True)
    assert change_choice(folder, read_choice(folder, settings), "a", enabled=True)
    assert not change_choice(folder, read_choice(folder, settings), "a", enabled=True)
    assert read_choice(folder, settings).names == ["b", "a"]
    assert change_choice(folder, read_choice(folder, settings), "b", enabled=False)
    assert read_choice(folder, settings).names == ["a"]


def test_settings_fix_the_list_of_plugins(folder):
    choice = read_choice(folder, ServerSettings(plugins=("a",)))
    assert choice.names == ("a",)
    with pytest.raises(PluginChoiceError, match="set by STRATOPLANE_PLUGINS"):
        change_choice(folder, choice, "b", enabled=True)


def test_a_damaged_list_of_plugins_is_named(folder):
    folder.make()
    folder.plugins.write_text("{")
    with pytest.raises(PluginChoiceError, match=r"plugins\.json cannot be read"):
        read_choice(folder, ServerSettings())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://me:secret@db.example:5432/cloud?sslmode=require", "db.example:5432/cloud"),
        ("postgresql://me@/cloud?host=/var/run/postgresql", "/var/run/postgresql/cloud"),
        ("postgresql:///cloud", "this host/cloud"),
        ("redis://:secret@cache:6379/2", "cache:6379/2"),
        ("unix:///run/valkey.sock?db=1&password=secret", "/run/valkey.sock"),
    ],
)
def test_addresses_are_said_without_secrets(url, words):
    assert describe_url(url) == words


def test_tables_and_durations():
    assert render(("NAME", "AGE"), [("a", "1"), ("long", "")]) == "NAME  AGE\na     1\nlong"
    spans = [duration(seconds) for seconds in (0.5, 59, 60, 3700, 90_000)]
    assert spans == ["0s", "59s", "1m 0s", "1h 1m", "1d 1h"]
