# SPDX-License-Identifier: Apache-2.0
"""The whole platform on one host, as ``up`` starts it."""

import json
import os
import shutil
import signal
import socket
import stat
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

from stratoplane_embedded.postgresql import PostgresqlServer
from stratoplane_embedded.processes import wait_until
from stratoplane_embedded.valkey import ValkeyServer
from stratoplane_server.process_table import ProcessKey, key_of

SECONDS = 180
MIB = 1024 * 1024
ROLES = ("api", "agent-api", "worker", "scheduler")


def log_in(operator, username: str, password: str) -> int:
    body = json.dumps({"username": username, "password": password}).encode()
    request = urllib.request.Request(
        f"http://{operator.variables['STRATOPLANE_API_LISTEN']}/api/common/v1/login",
        data=body,
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310  # our own
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_the_first_start_makes_an_administrator_who_can_log_in(shared):
    credentials = json.loads(shared.folder.credentials.read_text())
    assert stat.S_IMODE(shared.folder.credentials.stat().st_mode) == 0o600
    assert log_in(shared, credentials["username"], credentials["password"]) == 200
    assert log_in(shared, credentials["username"], "guessed") == 401
    assert credentials["password"] not in "".join(shared.log(name) for name in ("prepare", "supervisor", "api"))


def test_the_trail_is_sealed_while_the_platform_is_up(shared):
    def sealed() -> bool:
        return json.loads(shared.say("audit", "verify", "-o", "json"))["events"] > 0

    assert wait_until(sealed, SECONDS)
    assert json.loads(shared.say("audit", "verify", "-o", "json"))["findings"] == []


def test_status_shows_every_process_database_and_cluster(shared):
    health = shared.status()
    assert health["healthy"]
    names = [process["name"] for process in health["processes"]]
    assert names == ["supervisor", "postgres", "valkey", *ROLES, "agent"]
    assert all(process["pid"] and process["uptime"] > 0 for process in health["processes"])
    assert [(service["name"], service["healthy"]) for service in health["services"]] == [
        ("postgresql", True),
        ("valkey", True),
    ]
    (cluster,) = health["clusters"]
    assert (cluster["name"], cluster["connected"], cluster["drivers"]) == ("local-mock", True, ["mock"])
    page = shared.say("status")
    assert f"healthy: API http://{shared.variables['STRATOPLANE_API_LISTEN']}" in page


def test_memory_without_postgresql_is_under_500_mib(shared):
    processes = shared.status()["processes"]
    assert sum(process["memory"] for process in processes if process["name"] != "postgres") < 500 * MIB


def test_a_second_up_says_that_the_platform_is_running(shared):
    assert "is already running" in shared.say("up", "--detach")
    assert "is already running" in shared.fail("up")


def test_further_administrators_can_be_created(shared):
    said = shared.say("create-admin", "--username", "second")
    password = said.split()[-1]
    assert log_in(shared, "second", password) == 200
    assert "'second' is taken" in shared.fail("create-admin", "--username", "second")
    said = shared.say("create-admin", "--username", "third", "--password-stdin", text="a password of my own\n")
    assert "a password of my own" not in said
    assert log_in(shared, "third", "a password of my own") == 200
    assert "is empty" in shared.fail("create-admin", "--username", "fourth", "--password-stdin", code=2)


def test_migrate_does_nothing_when_there_is_nothing_to_do(shared):
    assert shared.say("migrate") == shared.say("migrate")


def test_a_role_can_run_beside_on_the_same_databases(shared, in_background):
    second = in_background(shared, "run", "worker")
    (worker,) = [process for process in shared.status()["processes"] if process["name"] == "worker"]
    assert wait_until(lambda: b"stratoplane_engine.roles.worker" in _command_line(second.pid), SECONDS)
    assert second.pid != worker["pid"]
    assert wait_until(lambda: _catches(second.pid, signal.SIGTERM), SECONDS)
    assert second.poll() is None
    second.terminate()
    assert second.wait(SECONDS) == 0


def _command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _catches(pid: int, number: signal.Signals) -> bool:
    """Tell whether the process has a handler of its own for the signal."""
    lines = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    return bool(int(lines["SigCgt"], 16) >> (number - 1) & 1)


def test_plugins_are_enabled_and_disabled_while_the_platform_runs(shared):
    before = {name: shared.child(name).process for name in (*ROLES, "postgres", "agent")}
    assert "watcher is enabled; the platform's roles are restarting" in shared.say("plugins", "enable", "watcher")
    assert wait_until(lambda: "watcher LOADED" in shared.log("worker"), SECONDS)

    def changed() -> set[str]:
        return {name for name in before if shared.child(name).process not in (None, before[name])}

    assert wait_until(lambda: changed() >= set(ROLES), SECONDS)
    shared.await_ready()
    assert changed() == set(ROLES)
    assert "watcher  LOADED" in shared.say("plugins", "list")
    assert "watcher  LOADED" in shared.say("plugins", "list", PYTHONPATH="")  # the platform's word, not the caller's
    assert "was already enabled" in shared.say("plugins", "enable", "watcher")


@pytest.mark.parametrize("name", ["api", "agent-api"])
def test_a_role_that_listens_serves_again_at_its_first_restart(shared, name):
    before = shared.child(name)
    workers = _children_of(before.process.pid)
    assert workers
    before.process.send(signal.SIGKILL)

    def changed() -> bool:
        child = shared.child(name)
        return child.restarts > before.restarts and (child.restarts > before.restarts + 1 or child.process is not None)

    assert wait_until(changed, SECONDS)
    assert shared.child(name).restarts == before.restarts + 1, shared.log("supervisor")
    shared.await_ready()
    assert shared.child(name).restarts == before.restarts + 1, shared.log("supervisor")
    assert not any(key.alive for key in workers)


def _children_of(pid: int) -> list[ProcessKey]:
    return [key_of(int(number)) for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.long
def test_kill_9_of_everything_is_healed_and_nothing_is_lost(shared):
    shared.say("create-admin", "--username", "kept", "--password-stdin", text="kept password\n")
    before = {child.name: child.process for child in shared.folder.read_report().children if child.process}
    assert set(before) == {"postgres", "valkey", *ROLES, "agent"}
    for key in before.values():
        key.send(signal.SIGKILL)

    def healed() -> bool:
        report = shared.folder.read_report()
        now = {child.name: child.process for child in report.children if child.process}
        return report.ready and set(now) == set(before) and all(now[name] != before[name] for name in now)

    assert wait_until(healed, SECONDS), shared.log("supervisor")
    assert log_in(shared, "kept", "kept password") == 200
    assert all(process["restarts"] for process in shared.status()["processes"][1:])


def test_status_is_not_healthy_while_a_role_is_down(shared):
    supervisor = shared.folder.read_report().process
    supervisor.send(signal.SIGSTOP)  # so that nobody starts it again
    try:
        worker = shared.child("worker").process
        worker.send(signal.SIGKILL)
        assert wait_until(lambda: not worker.alive, SECONDS)
        done = shared.run("status")
        assert done.returncode == 1
        assert "not healthy" in done.stdout
        assert "worker      ended" in done.stdout
    finally:
        os.kill(supervisor.pid, signal.SIGCONT)


def test_what_was_made_outlives_the_supervisor(shared):
    credentials, agent = shared.folder.credentials.read_bytes(), shared.folder.agent("mock").credential.read_bytes()
    administrator = json.loads(credentials)
    report = shared.folder.read_report()
    report.process.send(signal.SIGKILL)
    assert wait_until(lambda: not report.process.alive, SECONDS)
    assert "the platform is not running" in shared.fail("status")

    shared.up()
    assert not any(child.process.alive for child in report.children if child.process)
    assert shared.status()["healthy"]
    assert shared.folder.credentials.read_bytes() == credentials
    assert shared.folder.agent("mock").credential.read_bytes() == agent
    assert log_in(shared, administrator["username"], administrator["password"]) == 200


def test_down_keeps_the_data(shared):
    assert "the platform is down; its data stays" in shared.say("down")
    assert "the platform is not running" in shared.say("down")
    assert shared.folder.postgresql.exists()


@pytest.mark.long
def test_what_is_kept_beside_the_database_outlives_it(shared):
    administrator = json.loads(shared.folder.credentials.read_bytes())
    shared.run("down")
    shutil.rmtree(shared.folder.postgresql)
    shared.up()
    assert "the agent enrols again" in shared.log("supervisor")
    assert log_in(shared, administrator["username"], administrator["password"]) == 200
    assert shared.status()["healthy"]


def test_databases_of_your_own_and_a_free_port_are_waited_for(operator, in_background, tmp_path):
    postgresql, valkey = PostgresqlServer(tmp_path / "pg"), ValkeyServer(tmp_path / "vk")
    with postgresql, valkey:
        urls = {"STRATOPLANE_DATABASE_URL": postgresql.url, "STRATOPLANE_REDIS_URL": valkey.url}
    with ExitStack() as started:
        with socket.create_server(("127.0.0.1", 0)) as other:
            listen = f"127.0.0.1:{other.getsockname()[1]}"
            operator.variables["STRATOPLANE_API_LISTEN"] = listen
            in_background(operator, "up", "--no-agent", **urls)
            operator.await_log("supervisor", "/stratoplane does not answer (")
            assert wait_until(lambda: operator.child("prepare").problem.endswith("; waiting"), SECONDS)
            started.enter_context(postgresql)
            operator.await_log("supervisor", "/valkey.sock does not answer (")
            operator.await_log("supervisor", f"api cannot listen on {listen} (Address already in use)")
        operator.await_ready()
        assert operator.log("prepare").count("PostgreSQL at") == 1
        assert not (operator.folder.path / "postgresql").exists()
        assert operator.child("agent") is None
        assert not operator.status(**urls)["healthy"]
        with valkey:
            health = operator.status(**urls)
        assert health["healthy"]
        assert health["clusters"] == []
        assert operator.run("down", **urls).returncode == 0
