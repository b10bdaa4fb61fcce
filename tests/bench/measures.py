# SPDX-License-Identifier: Apache-2.0
"""The platform's own figures."""

import resource
import socket
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

import psutil
import psycopg

from tests.bench.http_client import Session, get_all, post_all
from tests.bench.installation import Installation
from tests.bench.report import Figure, latencies

IDLE_CREATES = 40
ACCEPTED = 600
END_TO_END = 900
CLIENTS = 8
LISTED = 100_000
QUEUED = 10_000
NEIGHBOURLY = 30
PAGES = 60
LISTS = 3_000
LIST_CLIENTS = 16
SILENT = 2_000
SHOWN = 300
_HALF = b"POST /api/common/v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf"


def idle_latency(installation: Installation) -> list[Figure]:
    """One machine after another on an idle platform: from the request to RUNNING."""
    taken = [_create_one(installation, f"idle-{number}") for number in range(IDLE_CREATES)]
    return latencies("create to RUNNING, idle", taken[5:], floor="bare psycopg, 1 connection", ratio="<= 43")


def _create_one(installation: Installation, name: str) -> float:
    session, path = installation.tenant, installation.path
    begun = time.perf_counter()
    accepted = session.must("POST", f"{path}/virtual-machines", installation.machine(name), key=True)
    address = f"{path}/virtual-machines/{accepted['virtual_machine']['id']}"
    while session.must("GET", address)["status"] != "RUNNING":
        time.sleep(0.005)
    return time.perf_counter() - begun


def accept_rate(installation: Installation) -> list[Figure]:
    """How fast requests are accepted while the engine works on them."""
    bodies = [installation.machine(f"accept-{number}") for number in range(ACCEPTED)]
    load = post_all(installation.access, f"{installation.path}/virtual-machines", bodies, clients=CLIENTS)
    _must_all_succeed(load.refused)
    _wait_for_quiet(installation)
    return [
        Figure(
            name=f"creates accepted, {CLIENTS} clients",
            value=ACCEPTED / load.seconds,
            unit="1/s",
            floor="bare psycopg, 4 connections",
            ratio=">= 0.15",
        ),
        *latencies(f"accept, {CLIENTS} clients", load.latencies, floor="bare psycopg, 1 connection"),
    ]


def _must_all_succeed(refused: int) -> None:
    if refused:
        raise RuntimeError(f"{refused} requests were refused; the figures would lie")


def _unfinished(installation: Installation) -> int:
    live = ("PENDING", "RUNNING", "RETRYING")
    paths = [f"{installation.path}/jobs?limit=1&status={state}" for state in live]
    return sum(len(installation.tenant.must("GET", path)["items"]) for path in paths)


def _wait_for_quiet(installation: Installation) -> None:
    installation.wait_until(lambda: not _unfinished(installation), "every job has ended")


def end_to_end(installation: Installation) -> list[Figure]:
    """From the first request to the last machine that is RUNNING."""
    bodies = [installation.machine(f"through-{number}") for number in range(END_TO_END)]
    begun = time.perf_counter()
    load = post_all(installation.access, f"{installation.path}/virtual-machines", bodies, clients=CLIENTS)
    _must_all_succeed(load.refused)
    _wait_for_quiet(installation)
    seconds = time.perf_counter() - begun
    _check_running(installation)
    return [Figure(name="created and RUNNING, end to end", value=END_TO_END / seconds, unit="1/s", mark=">= 60")]


def _check_running(installation: Installation) -> None:
    others = installation.tenant.must("GET", f"{installation.path}/virtual-machines?status=FAILED")["items"]
    if others:
        raise RuntimeError(f"machine {others[0]['name']} is {others[0]['status']}: {others[0]['detail']}")


_FILL = """
INSERT INTO resource (id, organization_id, project_id, kind, name, status, spec, observed, cluster_id)
SELECT uuidv7(), r.organization_id, %(project)s, r.kind, 'listed-' || n, r.status, r.spec, r.observed,
    r.cluster_id
FROM (SELECT * FROM resource WHERE kind = 'virtual_machine' AND status = 'RUNNING' LIMIT 1) AS r,
    generate_series(1, %(count)s) AS n
"""


def list_pages(installation: Installation) -> list[Figure]:
    """Pages of 100 through a project of 100,000 machines, at the client."""
    _create_one(installation, "pattern")
    project = installation.tenant.must("POST", "/api/tenant/v1/projects", {"name": "crowded"})["id"]
    with psycopg.connect(installation.supervisor()["database_url"], autocommit=True) as connection:
        connection.execute(_FILL, {"project": project, "count": LISTED})
        # What the fill leaves behind is not what a page costs.
        connection.execute("VACUUM ANALYZE resource")
        connection.execute("CHECKPOINT")
    path = f"/api/tenant/v1/projects/{project}/virtual-machines?limit=100"
    cursor, taken = "", []
    for _ in range(PAGES):
        begun = time.perf_counter()
        page = installation.tenant.must("GET", f"{path}{cursor}")
        taken.append(time.perf_counter() - begun)
        cursor = f"&cursor={page['next']}"
    return latencies("page of 100 of 100,000", taken[5:], floor="empty view, 1 client", ratio="<= 12")


def silent_clients(installation: Installation) -> list[Figure]:
    """What connections that send nothing, or half a body, change for everybody else."""
    address = urlsplit(installation.url)
    host, port = address.hostname or "", address.port or 80
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    alone = _shown(installation)
    with ExitStack() as stack:
        for number in range(SILENT):
            connection = stack.enter_context(socket.create_connection((host, port)))
            connection.sendall(_HALF if number % 2 else b"")
        beside = _shown(installation)
    return [
        *latencies("show one, alone", alone),
        *latencies(f"show one, beside {SILENT} silent clients", beside, floor="show one, alone", ratio="<= 2"),
    ]


def _shown(installation: Installation) -> list[float]:
    session = Session(installation.access)
    taken = []
    for _ in range(SHOWN):
        begun = time.perf_counter()
        session.must("GET", f"{installation.path}/networks/{installation.network}")
        taken.append(time.perf_counter() - begun)
    return taken[SHOWN // 10 :]


def list_of_ten(installation: Installation) -> list[Figure]:
    """Lists of ten machines by many connections at once."""
    path = f"{installation.path}/virtual-machines?limit=10"
    load = get_all(installation.access, path, count=LISTS, clients=LIST_CLIENTS)
    _must_all_succeed(load.refused)
    rate = Figure(
        name=f"lists of 10, {LIST_CLIENTS} connections", value=LISTS / load.seconds, unit="1/s", mark=">= 600"
    )
    return [rate, *latencies(f"list of 10, {LIST_CLIENTS} connections", load.latencies)]


_QUEUE = """
WITH pattern AS (
    SELECT j, r FROM job j JOIN resource r ON r.id = j.resource_id
    WHERE j.kind = 'volume.create' AND j.organization_id = %(organization)s LIMIT 1
),
made AS MATERIALIZED (
    SELECT p.j, p.r, gen_random_uuid() AS job_id, gen_random_uuid() AS resource_id, n
    FROM pattern p, generate_series(1, %(count)s) AS n
),
owned AS (
    INSERT INTO resource SELECT (q).* FROM (SELECT jsonb_populate_record(m.r, jsonb_build_object(
        'id', m.resource_id, 'name', 'queued-' || m.n, 'status', 'PENDING', 'observed', '{}'::jsonb)) AS q
        FROM made m) w
),
queued AS (
    INSERT INTO job SELECT (q).* FROM (SELECT jsonb_populate_record(m.j, jsonb_build_object('id', m.job_id,
        'resource_id', m.resource_id, 'state', 'PENDING', 'position', 0, 'epoch', 0, 'attempts', 0,
        'created_at', clock_timestamp(), 'next_run_at', clock_timestamp(), 'started_at', NULL, 'finished_at', NULL,
        'deadline_at', 'infinity')) AS q FROM made m) w RETURNING organization_id, id
)
INSERT INTO job_step (organization_id, job_id, position, name)
SELECT q.organization_id, q.id, s.position, s.name FROM queued q
CROSS JOIN (SELECT s.position, s.name FROM job_step s, pattern p WHERE s.job_id = (p.j).id) AS s
"""


def turns(installation: Installation) -> list[Figure]:
    """What a create takes while another organization has 10,000 jobs waiting, beside what it takes without them."""
    other = installation.neighbour()
    _create_one(other, "first")
    alone = [_create_one(other, f"alone-{number}") for number in range(NEIGHBOURLY)]
    installation.tenant.must("POST", f"{installation.path}/volumes", {"name": "pattern", "size_gib": 1}, key=True)
    _wait_for_quiet(installation)
    with psycopg.connect(installation.supervisor()["database_url"], autocommit=True) as connection:
        connection.execute(_QUEUE, {"organization": installation.organization, "count": QUEUED})
        connection.execute("ANALYZE job")
    before = _waiting(installation)
    crowded = [_create_one(other, f"crowded-{number}") for number in range(NEIGHBOURLY)]
    left = _waiting(installation)
    if not left:
        raise RuntimeError("the queue ran empty; the figures would lie")
    return [
        *latencies("create to RUNNING, nobody else waiting", alone),
        *latencies(f"create to RUNNING, {before:,} jobs of another waiting", crowded),
        Figure(name="jobs of the other still waiting", value=left, unit=""),
    ]


def _waiting(installation: Installation) -> int:
    with psycopg.connect(installation.supervisor()["database_url"], autocommit=True) as connection:
        live = "SELECT count(*) FROM job WHERE state IN ('PENDING', 'RUNNING', 'RETRYING')"
        row = connection.execute(live).fetchone()
    return int(row[0]) if row else 0


def memory(installation: Installation) -> list[Figure]:
    """Memory of every process but PostgreSQL, each page shared by several counted in parts (PSS)."""
    report = installation.supervisor()
    running = {"supervisor": report, **{child["name"]: child for child in report["children"]}}
    figures = [
        _memory_of(name, psutil.Process(owner["process"]["pid"]))
        for name, owner in running.items()
        if owner["process"] and not name.startswith("postgres")
    ]
    total = sum(figure.value for figure in figures)
    return [*figures, Figure(name="memory, all but PostgreSQL", value=total, unit="MB", mark="<= 500")]


def _memory_of(name: str, process: psutil.Process) -> Figure:
    below = [] if name == "supervisor" else process.children(recursive=True)
    octets = sum(each.memory_full_info().pss for each in [process, *below])
    return Figure(name=f"memory, {name}", value=octets / 1e6, unit="MB")
