# SPDX-License-Identifier: Apache-2.0
"""The applications served by gunicorn, as stratoplane-server starts them."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass

import orjson
import pytest

# Only a fault, never a busy machine, makes a test wait so long.
PATIENCE = 120


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@dataclass(frozen=True, kw_only=True)
class Served:
    """An application that is served at a port of this machine; called like a function, it sends a request there."""

    port: int
    process: subprocess.Popen[bytes]

    def __call__(self, method, path, body=None, token="", agent=None):
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        data = None if body is None else orjson.dumps(body)
        if agent is not None:
            headers = agent.headers(path.removeprefix(agent.prefix), data)
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310  # our own server
                return answer.status, orjson.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, orjson.loads(error.read())


@contextmanager
def served(application, database_url, redis_url, *arguments, **settings):
    """Serve an application by gunicorn and give what calls it."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--graceful-timeout", "1", *arguments]
    urls = {"STRATOPLANE_DATABASE_URL": database_url, "STRATOPLANE_REDIS_URL": redis_url}
    environment = os.environ | urls | {name: str(value) for name, value in settings.items()}
    process = subprocess.Popen([*command, f"stratoplane_api.{application}"], env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield Served(port=port, process=process)
    finally:
        process.terminate()
        process.wait(20)


def served_api(database_url, redis_url, *arguments, threads=8, body_seconds=20):
    """Serve the public namespaces as stratoplane-server does."""
    application = f"asgi:create_application(threads={threads}, body_seconds={body_seconds})"
    worker = ("--worker-class", "stratoplane_api.http_worker.HttpWorker")
    return served(application, database_url, redis_url, *worker, *arguments)


def served_agents(database_url, redis_url, *arguments, **settings):
    """Serve the agents' namespace as stratoplane-server does, with settings of the environment."""
    worker = ("--workers=1", "--worker-class=stratoplane_api.agent_worker.AgentWorker", "--worker-connections=10000")
    arguments = (*worker, "--keep-alive=75", "--backlog=8192", *arguments)
    return served("wsgi:create_agent_application()", database_url, redis_url, *arguments, **settings)


def wait_for(port, process):
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, "gunicorn ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("gunicorn does not listen")
