# SPDX-License-Identifier: Apache-2.0
"""A contract server for each test, a client that is logged in, and the command as a process and in this one."""

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from contract_server import PASSWORD, Contract

from stratoplane_client import Client, Options
from stratoplane_client.cli.failures import run
from stratoplane_client.cli.root import root

SETTINGS = ("STRATOPLANE_URL", "STRATOPLANE_TOKEN", "STRATOPLANE_PROJECT", "STRATOPLANE_CONTEXT", "NO_COLOR")


@pytest.fixture
def contract() -> Iterator[Contract]:
    """A server with a tenant ``alice`` and an operator ``olga``, a project ``web``, flavors, an image and a cluster.

    A test fails when the server has answered anything that the API's document does not allow.
    """
    server = Contract()
    server.add_user("alice", PASSWORD)
    server.add_user("olga", PASSWORD, operator=True)
    server.add_project("web")
    server.offer()
    yield server
    server.stop()
    assert server.differences == []


@pytest.fixture
def pauses() -> list[float]:
    """The seconds that the client would have slept."""
    return []


@pytest.fixture
def connect(contract: Contract, pauses: list[float]) -> Iterator[Callable[..., Client]]:
    """Return clients of the server; they do not sleep but note for how long they would have."""
    opened: list[Client] = []

    def open_client(username: str | None = "alice", **options: Any) -> Client:
        client = Client(contract.url, options=Options(sleep=pauses.append, **options))
        opened.append(client)
        if username is not None:
            client.login(username, PASSWORD)
        contract.requests.clear()
        return client

    yield open_client
    for client in opened:
        client.close()


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    """A client that is logged in as ``alice``."""
    return connect()


@pytest.fixture
def project(contract: Contract) -> str:
    """Id of the project ``web``."""
    return str(contract.state.stored["projects"][0]["id"])


class _Captured(io.TextIOWrapper):
    """A stream that takes text and bytes, as that of a process does."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def text(self) -> str:
        """Return all that was written."""
        self.seek(0)
        return self.read()


class Command:
    """The ``stratoplane`` command with a configuration of its own."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.config = folder / "config" / "config.toml"
        kept = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        self.environment = {**kept, "STRATOPLANE_CONFIG_FILE": str(self.config), "HOME": str(folder), "COLUMNS": "200"}

    def __call__(self, *words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it in this process, many times faster than starting one, with its own environment and no terminal."""
        output, errors = _Captured(), _Captured()
        with pytest.MonkeyPatch.context() as process, redirect_stdout(output), redirect_stderr(errors):
            for name in os.environ.keys() - self.environment.keys():
                process.delenv(name)
            for name, value in {**self.environment, **environment}.items():
                process.setenv(name, value)
            process.setattr(sys, "stdin", io.StringIO(stdin))
            try:
                code = run(root, words)
            except SystemExit as end:
                code = int(end.code or 0)
        return subprocess.CompletedProcess(words, code, output.text(), errors.text())

    @contextmanager
    def process(self, *words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """Run it as a process of its own."""
        program = [sys.executable, "-c", "from stratoplane_client.cli import main; main()", *words]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            program, env=self.environment | environment, stdout=pipe, stderr=pipe, text=True
        ) as process:
            yield process

    def done(self, *words: str, **options: Any) -> str:
        """Run it, insist on success and return what it printed."""
        answer = self(*words, **options)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def failed(self, code: int, *words: str, **options: Any) -> str:
        """Run it, insist on this exit code and on one line of error, and return the line."""
        answer = self(*words, **options)
        assert answer.returncode == code, (answer.returncode, answer.stderr)
        assert answer.stdout == ""
        lines = answer.stderr.strip().splitlines()
        assert len(lines) == 1, answer.stderr
        return lines[0]

    def log_in(self, username: str = "alice") -> None:
        """Log in."""
        self.done("login", self.url, "--username", username, "--password-stdin", stdin=PASSWORD + "\n")


@pytest.fixture
def command(contract: Contract, tmp_path: Path) -> Command:
    """The command before a login."""
    return Command(contract.url, tmp_path)


@pytest.fixture
def alice(command: Command) -> Command:
    """The command, logged in as ``alice``."""
    command.log_in("alice")
    return command


@pytest.fixture
def olga(command: Command) -> Command:
    """The command, logged in as the operator ``olga``."""
    command.log_in("olga")
    return command


@pytest.fixture
def later() -> Iterator[Callable[[Callable[[], Any]], None]]:
    """Return what runs a function in a thread; the test ends after it."""
    threads: list[threading.Thread] = []

    def begin(work: Callable[[], Any]) -> None:
        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join()
