# SPDX-License-Identifier: Apache-2.0
"""A contract server for each test, a client that is logged in, and the command as a process and in this one."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from client.tests.contract_server import PASSWORD, Command, Contract
from client.tests.contract_server.fixtures import Connect, Later
from stratoplane_client import Client, Options


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
def connect(contract: Contract, pauses: list[float]) -> Iterator[Connect]:
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
def client(connect: Connect) -> Client:
    """A client that is logged in as ``alice``."""
    return connect()


@pytest.fixture
def project(contract: Contract) -> str:
    """Id of the project ``web``."""
    return str(contract.state.stored["projects"][0]["id"])


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
def later() -> Iterator[Later]:
    """Return what runs a function in a thread; the test ends after it."""
    threads: list[threading.Thread] = []

    def begin(work: Callable[[], Any]) -> None:
        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join()
