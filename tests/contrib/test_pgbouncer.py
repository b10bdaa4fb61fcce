# SPDX-License-Identifier: Apache-2.0
"""The API and a worker work through PgBouncer as the example has it, with one connection for everybody.

PgBouncer knows prepared statements since 1.21. Debian 12 has 1.18: there the test shows that the example is refused
for that one line and for nothing else.
"""

import os
import re
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from tests.contrib.installation import BIN, OPERATIONS, TENANT, log_in
from tests.contrib.programs import free_port, listens, not_as_root, require, running, wait_until

PREPARING = (1, 21)
LINE = "max_prepared_statements = 200\n"
PASSWORD = uuid.uuid4().hex
ROUNDS = 8
"""More than the three executions after which a statement is prepared."""


def version(program: str) -> tuple[int, int]:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    assert found, said
    return int(found[1]), int(found[2])


def adapted(text: str, folder: Path, port: int, database_url: str) -> str:
    """Return the example in front of this database, with one connection to it and without passwords."""
    url = make_url(database_url)
    for before, after in {
        "host=10.0.0.21 port=5432 dbname=stratoplane": f"host={url.query['host']} dbname={url.database}",
        "listen_port = 6432": f"listen_port = {port}\nunix_socket_dir =",
        "auth_type = scram-sha-256\nauth_file = /etc/pgbouncer/userlist.txt": (
            f"auth_type = trust\nauth_file = {folder}/userlist.txt"
        ),
        "default_pool_size = 40": "default_pool_size = 1",
    }.items():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    (folder / "userlist.txt").write_text(f'"{url.username}" ""\n', encoding="utf-8")
    return text


def start(program: str, folder: Path) -> list[str]:
    return [*not_as_root(program, folder), program, str(folder / "pgbouncer.ini")]


@pytest.fixture
def database_url(postgresql_server: str) -> Iterator[str]:
    """URL of an empty database."""
    name = f"pooled_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield make_url(postgresql_server).set(database=name).render_as_string(hide_password=False)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def example(contrib: Path) -> str:
    return (contrib / "pgbouncer/pgbouncer.ini").read_text(encoding="utf-8")


def test_the_pooler_serves_or_names_the_line_that_it_is_too_old_for(
    database_url: str, valkey_url: str, example: str, tmp_path: Path
) -> None:
    program, port = require("pgbouncer", "pgbouncer"), free_port()
    text = adapted(example, tmp_path, port, database_url)
    assert text.count(LINE) == 1
    (tmp_path / "pgbouncer.ini").write_text(text, encoding="utf-8")

    if version(program) < PREPARING:
        refused = subprocess.run(start(program, tmp_path), capture_output=True, text=True, check=False, timeout=30)
        assert refused.returncode == 1
        assert re.findall(r"unknown parameter: pgbouncer/(\w+)", refused.stderr) == ["max_prepared_statements"]
        (tmp_path / "pgbouncer.ini").write_text(text.replace(LINE, ""), encoding="utf-8")
        with running(start(program, tmp_path), tmp_path / "log"):
            wait_until(lambda: listens(port), "PgBouncer listens")
        return
    with running(start(program, tmp_path), tmp_path / "log"):
        wait_until(lambda: listens(port), "PgBouncer listens")
        pooled = f"postgresql://{make_url(database_url).username}@127.0.0.1:{port}/stratoplane"
        with roles(database_url, pooled, valkey_url, tmp_path) as operator:
            tenants_work_side_by_side(operator)


@contextmanager
def roles(direct: str, pooled: str, valkey_url: str, folder: Path) -> Iterator[httpx.Client]:
    """Run each role as contrib/README.md says, and a mock agent; yield the administrator's client."""
    here, agents = free_port(), free_port()
    environment = {
        "STRATOPLANE_STATE": str(folder / "state"),
        "STRATOPLANE_DATABASE_URL": direct,
        "STRATOPLANE_REDIS_URL": valkey_url,
        "STRATOPLANE_API_LISTEN": f"127.0.0.1:{here}",
        "STRATOPLANE_AGENT_LISTEN": f"127.0.0.1:{agents}",
    }
    through = {**environment, "STRATOPLANE_DATABASE_URL": pooled}
    server, agent = str(BIN / "stratoplane-server"), str(BIN / "stratoplane-agent")
    for arguments in (["migrate"], ["create-admin", "--username", "admin", "--password-stdin"]):
        subprocess.run([server, *arguments], env=os.environ | environment, input=PASSWORD, text=True, check=True)
    with ExitStack() as stack:
        for role, variables in (
            ("scheduler", environment),
            ("agent-api", environment),
            ("worker", through),
            ("api", through),
        ):
            stack.enter_context(running([server, "run", role], folder / f"{role}.log", **variables))
        wait_until(lambda: listens(here) and listens(agents), "both APIs listen")
        operator = stack.enter_context(closing(log_in(f"http://127.0.0.1:{here}", "admin", PASSWORD)))
        cluster = operator.post(f"{OPERATIONS}/clusters", json={"name": "rack-1"}).json()
        token = operator.post(f"{OPERATIONS}/clusters/{cluster['id']}/join-tokens", json={}).json()["token"]
        settings = {
            "STRATOPLANE_AGENT_CONTROL_PLANE": f"http://127.0.0.1:{agents}",
            "STRATOPLANE_AGENT_STATE": str(folder / "agent"),
            "STRATOPLANE_AGENT_DRIVER": "mock",
            "STRATOPLANE_AGENT_JOIN_TOKEN": token,
        }
        stack.enter_context(running([agent, "run"], folder / "agent.log", **settings))
        path = f"{OPERATIONS}/clusters/{cluster['id']}"
        wait_until(lambda: "storage" in operator.get(path).json()["features"], "the cluster offers storage")
        yield operator


def tenants_work_side_by_side(operator: httpx.Client) -> None:
    """Let two tenants create volumes and look at them; each sees its own."""
    with ExitStack() as stack:
        tenants = [tenant_of(operator, stack) for _ in range(2)]
        made: list[set[str]] = [set(), set()]
        for number in range(ROUNDS):
            for (client, project), names in zip(tenants, made, strict=True):
                body = {"name": f"v{number}", "size_gib": 1}
                answer = client.post(f"{project}/volumes", json=body, headers={"Prefer": "wait=20"})
                assert answer.status_code == 202, answer.text
                assert answer.json()["job"]["state"] == "SUCCEEDED", answer.text
                names.add(answer.json()["volume"]["id"])
        for (client, project), names in zip(tenants, made, strict=True):
            listed = client.get(f"{project}/volumes", params={"limit": 100}).json()["items"]
            assert {each["id"] for each in listed} == names
        for (client, _), (_, foreign) in zip(tenants, reversed(tenants), strict=True):
            assert client.get(f"{foreign}/volumes").json()["items"] == []


def tenant_of(operator: httpx.Client, stack: ExitStack) -> tuple[httpx.Client, str]:
    """Make an organization with an administrator and a project; return their client and the project's path."""
    name = f"org-{uuid.uuid4().hex[:12]}"
    organization = operator.post(f"{OPERATIONS}/organizations", json={"name": name}).json()
    user = {"organization_id": organization["id"], "username": f"admin-{name}", "password": PASSWORD}
    binding = {"user_id": operator.post(f"{OPERATIONS}/users", json=user).json()["id"], "role": "organization-admin"}
    assert operator.post(f"{OPERATIONS}/role-bindings", json=binding).status_code == 201
    client = stack.enter_context(closing(log_in(str(operator.base_url), f"admin-{name}", PASSWORD)))
    project = client.post(f"{TENANT}/projects", json={"name": "main"}).json()
    return client, f"{TENANT}/projects/{project['id']}"
