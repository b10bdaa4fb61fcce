# SPDX-License-Identifier: Apache-2.0
"""The commands of the pages work as printed: backup and restore, scaling, an agent, and the REST API with curl."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from stratoplane_embedded.binaries import find_postgresql
from stratoplane_embedded.postgresql import PostgresqlServer
from tests.end_to_end.conftest import OPERATIONS, Platform, free_port, make_tenant, start, wait_until

DOCS = Path(__file__).resolve().parents[2] / "docs"
BIN = Path(sys.executable).parent


def blocks(page: str, heading: str) -> list[tuple[str, str]]:
    """Return language and text of every block of code below a heading of the second level."""
    text = (DOCS / page).read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def script(text: str) -> str:
    """Return the commands of a console block."""
    return re.sub(r"^\$ ", "", text, flags=re.MULTILINE).replace(".venv/bin/python", sys.executable)


def run(lines: str, folder: Path, environment: dict[str, str], *programs: Path) -> subprocess.CompletedProcess[str]:
    """Run commands in a shell that ends at the first failure."""
    path = os.pathsep.join([*map(str, programs), str(BIN), environment["PATH"]])
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=folder,
        env=environment | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path that is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="sp") as path:
        yield Path(path)


def test_a_host_is_backed_up_and_restored_as_the_page_says(folder: Path) -> None:
    platform = start(folder / ".stratoplane")
    try:
        tenant = make_tenant(platform)
        kept = tenant.make("volumes", name="kept", size_gib=1)
        shown = blocks("operator/backup.md", "One host")
        copy, dump, clear, fill, resume = shown
        assert [language for language, _ in shown] == ["console", "console", "console", "python", "console"]

        for _, text in (copy, dump):
            done = run(script(text), folder, platform.environment)
            assert done.returncode == 0, done.stdout + done.stderr
        late = tenant.make("volumes", name="late", size_gib=1)
        for language, text in (clear, fill, resume):
            words = script(text) if language == "console" else f"{sys.executable} - <<'END'\n{text}END\n"
            done = run(words, folder, platform.environment)
            assert done.returncode == 0, done.stdout + done.stderr
        listed = tenant.call("GET", "/volumes").json()["items"]
        assert [each["id"] for each in listed] == [kept["id"]]

        # What follows a restore: the agent comes back, and what is younger than the backup is an orphan.
        assert run("stratoplane-server down; stratoplane-server up --detach", folder, platform.environment).stdout
        orphans = f"{OPERATIONS}/orphans"
        wait_until(lambda: late["id"] in platform.operator.get(orphans).text, "the younger volume is an orphan")
        assert tenant.call("GET", f"/volumes/{kept['id']}").json()["status"] == "ACTIVE"
        assert platform.server("audit", "verify").returncode == 0
    finally:
        platform.stop()


class Servers:
    """PostgreSQL servers of one's own, by the names that the page gives to them; `postgres` is their superuser."""

    def __init__(self, folder: Path, stack: ExitStack, *names: str) -> None:
        self.sockets: dict[str, str] = {}
        for name in names:
            server = stack.enter_context(PostgresqlServer(folder / name))
            with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
                connection.execute("CREATE ROLE postgres SUPERUSER LOGIN")
            self.sockets[name] = server.url.partition("?host=")[2]
            self.ask(name, "ALTER ROLE stratoplane RENAME TO nobody", "DROP DATABASE stratoplane")

    def ask(self, name: str, *statements: str, database: str = "postgres") -> list[object]:
        """Run statements as the superuser; return the first column of the last one's rows."""
        url = f"postgresql://postgres@/{database}?host={self.sockets[name]}"
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return [row[0] for row in cursor.fetchall()] if cursor.description else []

    def real(self, text: str) -> str:
        """Return the text with the sockets of these servers."""
        for name, socket in self.sockets.items():
            text = re.sub(rf"@{re.escape(name)}/(\w+)", rf"@/\1?host={socket}", text)
        return text


ACCOUNT = ("CREATE ROLE stratoplane LOGIN CREATEROLE", "CREATE DATABASE stratoplane OWNER stratoplane")


def test_a_server_of_ones_own_is_backed_up_and_restored_as_the_page_says(folder: Path) -> None:
    programs = find_postgresql().postgres.parent
    text = "\n".join(text for language, text in blocks("operator/backup.md", "Your own PostgreSQL"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("STRATOPLANE_", "PG"))}
    environment["STRATOPLANE_STATE"] = str(folder / "state")
    with ExitStack() as stack:
        servers = Servers(folder, stack, "db.example", "new-db.example", "hosted.example")
        for name in ("db.example", "hosted.example"):
            servers.ask(name, *ACCOUNT)
        account = servers.real("STRATOPLANE_DATABASE_URL='postgresql://stratoplane@db.example/stratoplane'")
        fill = f"export {account}; stratoplane-server migrate; stratoplane-server create-admin --username olga"
        done = run(fill, folder, environment)
        assert done.returncode == 0, done.stdout + done.stderr
        refused = run(f"{account}; pg_dump -d $STRATOPLANE_DATABASE_URL -f refused", folder, environment, programs)
        assert "query would be affected by row-level security policy" in refused.stderr

        done = run(script(servers.real(text)), folder, environment, programs)

        assert done.returncode == 0, done.stdout + done.stderr
        for name in ("db.example", "new-db.example", "hosted.example"):
            query = "SELECT username FROM user_account"
            assert servers.ask(name, query, database="stratoplane") == ["olga"], name
        hosted = servers.real("STRATOPLANE_DATABASE_URL='postgresql://stratoplane@hosted.example/stratoplane'")
        done = run(f"export {hosted}; stratoplane-server audit verify", folder, environment)
        assert done.returncode == 0, done.stdout + done.stderr


def every_console_block(page: str) -> str:
    """Return the commands of all console blocks of a page as one script."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return "\n".join(script(each) for each in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def test_the_rest_api_answers_to_curl_as_the_page_says(folder: Path) -> None:
    platform = start(folder / ".stratoplane")
    try:
        done = run("python -m stratoplane_server.demo", folder, platform.environment)
        assert done.returncode == 0, done.stdout + done.stderr
        commands = every_console_block("tenant/http.md").replace("http://127.0.0.1:8700", platform.url)

        done = run(commands, folder, platform.environment)

        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.split()[-3:] == ["RUNNING", "SUCCEEDED", "SUCCEEDED"], done.stdout
        assert "mock-linux" in done.stdout
        an_agent_joins(platform, folder)
    finally:
        platform.stop()


def an_agent_joins(platform: Platform, folder: Path) -> None:
    """Run the commands by which the operator's page brings an agent to a cluster of its own."""
    ((_, _), (_, shown), *_) = blocks("operator/index.md", "Clusters and agents")
    *lines, last = script(shown).replace("https://cloud.example:8701", platform.report()["agent_url"]).splitlines()
    assert last == "stratoplane-agent run"
    cluster = platform.operator.post(f"{OPERATIONS}/clusters", json={"name": "rack-9"}).json()
    path = f"{OPERATIONS}/clusters/{cluster['id']}"
    (folder / "token").write_text(platform.operator.post(f"{path}/join-tokens", json={}).json()["token"])
    begun = "\n".join([*lines, "exec timeout 120 stratoplane-agent run > agent.log 2>&1"])
    with subprocess.Popen(
        ["bash", "-euc", begun], cwd=folder, env=platform.environment | {"PATH": f"{BIN}:{os.environ['PATH']}"}
    ) as agent:
        try:
            wait_until(lambda: "compute" in platform.operator.get(path).json()["features"], "the agent has joined")
        finally:
            agent.terminate()


def test_the_roles_run_on_servers_of_ones_own_as_the_page_says(folder: Path, valkey_url: str) -> None:
    programs = find_postgresql().postgres.parent
    here, agents = free_port(), free_port()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("STRATOPLANE_", "PG"))}
    environment |= {
        "STRATOPLANE_STATE": str(folder / "state"),
        "STRATOPLANE_API_LISTEN": f"127.0.0.1:{here}",
        "STRATOPLANE_AGENT_LISTEN": f"127.0.0.1:{agents}",
    }
    ((_, prepare),) = blocks("operator/scaling.md", "PostgreSQL and Valkey")
    ((_, start_roles), (_, look)) = blocks("operator/scaling.md", "Start the roles")
    ((_, check),) = blocks("operator/scaling.md", "Load balancer")
    with ExitStack() as stack:
        servers = Servers(folder, stack, "db.example")
        url = servers.real("postgresql://stratoplane@db.example/stratoplane")
        words = script(servers.real(prepare)).replace("redis://valkey.example:6379/0", valkey_url)
        done = run(words, folder, environment, programs)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "created administrator admin with password" in done.stdout
        environment |= {"STRATOPLANE_DATABASE_URL": url, "STRATOPLANE_REDIS_URL": valkey_url}
        for line in script(start_roles).splitlines():
            log = stack.enter_context((folder / f"{line.split()[-1]}.log").open("wb"))
            role = stack.enter_context(
                subprocess.Popen(
                    [BIN / "stratoplane-server", *line.split()[1:]], env=environment, stdout=log, stderr=log
                )
            )
            stack.callback(role.terminate)
        health = script(check).replace("127.0.0.1:8700", f"127.0.0.1:{here}")
        wait_until(lambda: run(health, folder, environment).returncode == 0, "the API is healthy")
        done = run(script(look), folder, environment)
        assert done.returncode == 0, done.stdout + done.stderr
