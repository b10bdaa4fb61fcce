# SPDX-License-Identifier: Apache-2.0
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stratoplane_embedded import processes
from stratoplane_embedded.errors import AlreadyRunningError, BinariesNotFoundError, EmbeddedError, StartError
from stratoplane_embedded.postgresql import WITHOUT_DURABILITY, PostgresqlServer
from stratoplane_embedded.sockets import LONGEST_SOCKET_PATH


def _insert(query, url: str, number: int) -> None:
    query(url, f"CREATE TABLE IF NOT EXISTS kept (number int); INSERT INTO kept VALUES ({number})")  # noqa: S608


def _numbers(query, url: str) -> list[int]:
    return [int(number) for (number,) in query(url, "SELECT number FROM kept ORDER BY number")]


def _killed(server: PostgresqlServer) -> None:
    assert server.process is not None
    server.process.kill()
    server.process.wait()


def test_a_new_folder_becomes_a_server(new_postgresql, query):
    new_postgresql.start()
    assert query(new_postgresql.url, "SELECT current_user, current_database()") == [("stratoplane", "stratoplane")]
    settings = query(
        new_postgresql.url, "SELECT current_setting('listen_addresses'), current_setting('server_encoding')"
    )
    assert settings == [("", "UTF8")]
    assert query(new_postgresql.url, "SELECT 'a' > 'B' AS by_code_point") == [("t",)]


def test_durable_by_default(postgresql, query):
    with PostgresqlServer(postgresql.folder) as server:
        durable = query(server.url, "SELECT current_setting('fsync'), current_setting('synchronous_commit')")
        assert durable == [("on", "on")]
        assert query(server.url, "SELECT current_setting('jit'), current_setting('shared_buffers')") == [
            ("off", "64MB")
        ]


def test_a_restart_keeps_the_data(postgresql, query):
    postgresql.start()
    _insert(query, postgresql.url, 1)
    assert postgresql.stop()
    postgresql.start()
    assert _numbers(query, postgresql.url) == [1]


def test_settings_of_the_operator_survive_a_restart(postgresql, query):
    postgresql.start()
    query(postgresql.url, "ALTER SYSTEM SET work_mem = '7MB'")
    postgresql.stop()
    postgresql.start()
    assert query(postgresql.url, "SELECT current_setting('work_mem')") == [("7MB",)]


def test_kill_9_loses_nothing_that_was_committed(postgresql, query):
    for number in range(3):
        server = PostgresqlServer(postgresql.folder)
        server.start()
        _insert(query, server.url, number)
        _killed(server)
    with PostgresqlServer(postgresql.folder) as server:
        assert _numbers(query, server.url) == [0, 1, 2]


def test_kill_9_while_the_dead_server_is_not_yet_reaped(postgresql, tmp_path, query):
    postgresql.start()
    os.kill(postgresql.process.pid, signal.SIGKILL)
    with PostgresqlServer(tmp_path / "postgresql") as server:
        assert query(server.url, "SELECT 1") == [("1",)]


def test_a_stale_lock_file_with_the_number_of_another_process_does_not_lock_us_out(postgresql, query):
    postgresql.start()
    lock_file = postgresql.data / "postmaster.pid"
    lines = lock_file.read_text().splitlines()
    _killed(postgresql)
    lock_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    postgresql.start()
    assert query(postgresql.url, "SELECT 1") == [("1",)]


def test_a_second_start_is_refused_with_the_process_that_holds_the_folder(postgresql, tmp_path):
    postgresql.start()
    with pytest.raises(AlreadyRunningError, match=rf"in use by process {postgresql.process.pid}; use it, stop it, or"):
        PostgresqlServer(tmp_path / "postgresql").start()


def test_the_socket_is_private(short_folder, first_data):
    shutil.copytree(first_data, short_folder / "data")
    with PostgresqlServer(short_folder, settings=WITHOUT_DURABILITY) as server:
        folder = Path(re.findall(r"host=(.*)", server.url)[0])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder == short_folder / "run"


@pytest.mark.parametrize("name", ["x" * LONGEST_SOCKET_PATH, "with, comma"])
def test_a_path_that_sockets_cannot_have_gets_a_short_folder(tmp_path, first_data, query, name):
    shutil.copytree(first_data, tmp_path / name / "postgresql" / "data")
    with PostgresqlServer(tmp_path / name / "postgresql", settings=WITHOUT_DURABILITY) as server:
        assert query(server.url, "SELECT 1") == [("1",)]
        folder = Path(re.findall(r"host=(.*)", server.url)[0])
        assert name not in str(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.rmdir()


def test_somebody_elses_socket_folder_is_refused(short_folder, first_data, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_folder))
    shutil.copytree(first_data, tmp_path / ("x" * LONGEST_SOCKET_PATH) / "data")
    server = PostgresqlServer(tmp_path / ("x" * LONGEST_SOCKET_PATH), settings=WITHOUT_DURABILITY)
    server.start()
    server.stop()
    (theirs,) = short_folder.iterdir()
    theirs.rmdir()
    theirs.symlink_to(tmp_path)
    with pytest.raises(EmbeddedError, match="belongs to another user"):
        server.start()


def test_an_unfinished_first_start_is_done_again(new_postgresql, query):
    (new_postgresql.folder / "data.unfinished").mkdir(parents=True)
    (new_postgresql.folder / "data.unfinished" / "PG_VERSION").write_text("18\n")
    new_postgresql.start()
    assert query(new_postgresql.url, "SELECT 1") == [("1",)]


def test_a_data_folder_of_another_version_is_named(new_postgresql):
    new_postgresql.data.mkdir(parents=True)
    (new_postgresql.data / "PG_VERSION").write_text("12\n")
    with pytest.raises(BinariesNotFoundError, match="PostgreSQL 12 is not installed"):
        new_postgresql.start()


def test_something_else_in_the_data_folder_is_left_alone(new_postgresql):
    new_postgresql.data.mkdir(parents=True)
    (new_postgresql.data / "letter").write_text("mine")
    with pytest.raises(StartError, match="does not contain PostgreSQL data"):
        new_postgresql.start()
    assert (new_postgresql.data / "letter").read_text() == "mine"


def test_a_setting_that_postgresql_refuses_is_in_the_message(postgresql):
    server = PostgresqlServer(postgresql.folder, settings={"shared_buffers": "much"})
    with pytest.raises(StartError, match='invalid value for parameter "shared_buffers"'):
        server.start()
    assert server.process is None


def test_the_server_ends_with_the_process_that_started_it(postgresql):
    program = """
import sys
from pathlib import Path
from stratoplane_embedded.postgresql import PostgresqlServer
server = PostgresqlServer(Path(sys.argv[1]))
server.start()
print(server.process.pid, flush=True)
sys.stdin.read()
"""
    starter = subprocess.Popen(
        [sys.executable, "-c", program, str(postgresql.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    server = int(starter.stdout.readline())
    starter.kill()
    starter.communicate()
    assert processes.wait_until(lambda: not processes.works_in(server, postgresql.data), 60)
    assert "database system is shut down" in postgresql.log_file.read_text()
