# SPDX-License-Identifier: Apache-2.0
"""The floors: what the same machine does, in the same run, without the platform."""

import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import psycopg
from psycopg.types.json import Jsonb

from tests.bench.http_client import Access, Session
from tests.bench.installation import Installation
from tests.bench.report import Figure, latencies

WRITES = 600
REQUESTS = 600
_TABLES = """
CREATE SCHEMA floor;
CREATE TABLE floor.quota (scope uuid, key text, used bigint, PRIMARY KEY (scope, key));
CREATE TABLE floor.resource (id uuid PRIMARY KEY, project uuid, kind text, name text, spec jsonb,
    UNIQUE (project, kind, name));
CREATE TABLE floor.job (id uuid PRIMARY KEY, resource uuid REFERENCES floor.resource, state text);
CREATE TABLE floor.step (job uuid REFERENCES floor.job, position int, name text, PRIMARY KEY (job, position));
CREATE TABLE floor.audit (id uuid PRIMARY KEY, detail jsonb);
CREATE TABLE floor.outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job uuid);
"""
_KEYS = ("virtual_machines", "vcpus", "memory_mib", "storage_gib")


def bare_psycopg(installation: Installation) -> list[Figure]:
    """The rows of a create, statement by statement, by bare psycopg on the same PostgreSQL."""
    url = installation.supervisor()["database_url"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_TABLES)
    alone, _ = _write_by(url, 1)
    together, seconds = _write_by(url, 4)
    return [
        *latencies("bare psycopg, 1 connection", alone),
        Figure(name="bare psycopg, 4 connections", value=len(together) / seconds, unit="1/s"),
    ]


def _write_by(url: str, connections: int) -> tuple[list[float], float]:
    taken: list[float] = []
    threads = [
        threading.Thread(target=_write_many, args=(url, WRITES // connections, taken)) for _ in range(connections)
    ]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken, time.perf_counter() - begun


def _write_many(url: str, count: int, taken: list[float]) -> None:
    project = uuid.uuid4()
    with psycopg.connect(url) as connection:
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO floor.quota VALUES (%s, %s, 0)", [(project, key) for key in _KEYS])
        connection.commit()
        for number in range(count):
            begun = time.perf_counter()
            _write_one(connection, project, f"machine-{number}")
            taken.append(time.perf_counter() - begun)


def _write_one(connection: psycopg.Connection, project: uuid.UUID, name: str) -> None:
    resource, job = uuid.uuid4(), uuid.uuid4()
    spec = Jsonb({"vcpus": 1, "memory_mib": 256, "disk_gib": 1, "network_ids": [str(project)]})
    run = connection.execute
    run("UPDATE floor.quota SET used = used + 1 WHERE scope = %s", (project,))
    run("INSERT INTO floor.resource VALUES (%s, %s, 'virtual_machine', %s, %s)", (resource, project, name, spec))
    run("INSERT INTO floor.job VALUES (%s, %s, 'PENDING')", (job, resource))
    run("INSERT INTO floor.step VALUES (%s, 0, 'await_targets'), (%s, 1, 'provision')", (job, job))
    run("INSERT INTO floor.audit VALUES (%s, %s)", (uuid.uuid4(), spec))
    run("INSERT INTO floor.outbox (job) VALUES (%s)", (job,))
    connection.commit()


_WORKER = "stratoplane_api.http_worker.HttpWorker"
_VIEW = """
from flask import Flask
from stratoplane_api.asgi import WholeRequests
from stratoplane_api.draining import Draining

flask = Flask(__name__)
application = WholeRequests(flask, threads=8, draining=Draining())

@flask.get("/")
def nothing():
    return {}
"""


def empty_view(installation: Installation) -> list[Figure]:
    """A view that answers ``{}`` under the same server program and settings as the API."""
    folder = installation.state.parent
    (folder / "empty_view.py").write_text(_VIEW)
    options = ["--bind", "127.0.0.1:8799", "--workers", "2", "--worker-class", _WORKER, "--log-level", "error"]
    command = [
        str(Path(sys.executable).parent / "gunicorn"),
        *options,
        "--chdir",
        str(folder),
        "empty_view:application",
    ]
    server = subprocess.Popen(command)
    try:
        session = _connected(Access(url="http://127.0.0.1:8799", token=""))
        return latencies("empty view, 1 client", [_timed(session) for _ in range(REQUESTS)])
    finally:
        server.terminate()
        server.wait()


def _connected(access: Access) -> Session:
    def answers() -> bool:
        try:
            return Session(access).call("GET", "/")[0] == 200
        except OSError:
            return False

    Installation.wait_until(answers, "the empty view answers", seconds=20)
    return Session(access)


def _timed(session: Session) -> float:
    begun = time.perf_counter()
    session.must("GET", "/")
    return time.perf_counter() - begun
