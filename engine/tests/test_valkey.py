# SPDX-License-Identifier: Apache-2.0
"""Wake-ups through one server, or through whichever Sentinel names as the primary."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from stratoplane.errors import SettingsError, UnavailableError
from stratoplane_embedded.binaries import find_valkey
from stratoplane_engine.jobs.queue import WorkerNotifier
from stratoplane_engine.valkey import connect

_PATIENCE = 60.0
Start = Callable[..., tuple[subprocess.Popen[bytes], int]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], bool]) -> None:
    """Return when ``condition`` holds; a server that does not answer yet is asked again."""
    deadline = time.monotonic() + _PATIENCE
    pause = 0.02
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (RedisError, UnavailableError):
            pass
        time.sleep(pause)
    raise AssertionError(f"{condition} does not come true")


def ask(port: int, command: str, *words: str) -> Any:
    """Return one server's answer to one command."""
    with closing(connect(f"redis://127.0.0.1:{port}")) as connection:
        return connection.execute_command(command, *words)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """``start(*lines, sentinel=False)`` starts a server with these lines of configuration on a port of its own."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(*lines: str, sentinel: bool = False) -> tuple[subprocess.Popen[bytes], int]:
        port = free_port()
        folder = tmp_path / str(port)
        folder.mkdir()
        own = ["bind 127.0.0.1", f"port {port}", f"dir {folder}", *([] if sentinel else ['save ""'])]
        (folder / "conf").write_text("\n".join([*own, *lines, ""]), encoding="utf-8")
        command = [str(find_valkey()), str(folder / "conf"), *(["--sentinel"] if sentinel else [])]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        running.append(process)
        until(lambda: bool(ask(port, "PING")))
        return process, port

    yield begin
    for process in running:
        process.kill()
        process.wait()


def test_wake_ups_follow_the_primary_that_sentinel_names(start: Start) -> None:
    primary, port = start()
    _, replica_port = start(f"replicaof 127.0.0.1 {port}")
    until(lambda: ask(replica_port, "INFO", "replication")["master_link_status"] == "up")
    _, sentinel = start(
        f"sentinel monitor stratoplane 127.0.0.1 {port} 1",
        "sentinel down-after-milliseconds stratoplane 300",
        "sentinel failover-timeout stratoplane 2000",
        sentinel=True,
    )
    until(lambda: ask(sentinel, "INFO", "sentinel")["master0"]["slaves"] == 1)
    with closing(WorkerNotifier(f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel}/stratoplane/0")) as notifier:
        notifier.send([])
        assert ask(port, "LLEN", "rq:queue:stratoplane") == 1

        primary.kill()
        primary.wait()
        with pytest.raises(UnavailableError):
            notifier.send([])

        def woken() -> bool:
            notifier.send([])
            return bool(ask(replica_port, "LLEN", "rq:queue:stratoplane") == 1)

        until(woken)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis+sentinel://one:26379", "name the service"),
        ("redis+sentinel://one:x/service", "not of the form"),
        ("redis+sentinel://one,:5/service", "not of the form"),
        ("redis+sentinel://one/service/first", "name the service"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_what_is_wrong(url: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        connect(url)


def test_a_refused_address_shows_no_password() -> None:
    with pytest.raises(SettingsError) as refused:
        connect("redis+sentinel://user:letmein@one:26379")
    assert "letmein" not in refused.value.detail


def test_the_port_of_a_sentinel_may_be_left_out() -> None:
    pool: Any = connect("redis+sentinel://one,[::1]:5/service").connection_pool
    asked = [each.connection_pool.connection_kwargs for each in pool.sentinel_manager.sentinels]
    assert [(each["host"], each["port"]) for each in asked] == [("one", 26379), ("::1", 5)]
