# SPDX-License-Identifier: Apache-2.0
"""A kind of resources that a distribution adds lives as the built-in ones do, from the command to its provider.

The distribution is the template that authors copy, installed beside a platform that was not changed for it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import OPERATIONS, Platform, Shell, Tenant, start, wait_until

TEMPLATE = Path(__file__).resolve().parents[2] / "contrib" / "kind-template"
BIN = Path(sys.executable).parent


@dataclass(frozen=True, kw_only=True)
class Provider:
    """The folder in which the template's driver keeps load balancers."""

    folder: Path

    def file(self, identifier: str) -> Path:
        """Return the file of a load balancer."""
        (found,) = self.folder.glob(f"*/{identifier}")
        return found

    def has(self, identifier: str) -> bool:
        return any(self.folder.glob(f"*/{identifier}"))

    def maintain(self, *, ends: bool = False) -> None:
        """Let every call fail for now, or no longer."""
        sign = self.folder / "maintenance"
        if ends:
            sign.unlink()
        else:
            sign.touch()


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with tempfile.TemporaryDirectory(prefix="balancers") as folder:
        yield Provider(folder=Path(folder))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that a copy of the template was installed into."""
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    copy = shutil.copytree(TEMPLATE, tmp_path_factory.mktemp("author") / "kind", ignore=left_out)
    folder = copy / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-build-isolation"]
    done = subprocess.run([*pip, "--target", folder, copy], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def platform(installed: Path, provider: Provider) -> Iterator[Platform]:
    """A platform with the distribution, its plugin enabled, and its kind and driver enabled at the local agent."""
    settings = {
        "PYTHONPATH": os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "STRATOPLANE_PLUGINS": "balancer",
        "STRATOPLANE_AGENT_DRIVER_KINDS": "load_balancer",
        "STRATOPLANE_AGENT_INTERFACE_DRIVERS": "load_balancer=folder",
        "STRATOPLANE_BALANCER_FOLDER": str(provider.folder),
    }
    with tempfile.TemporaryDirectory(prefix="sp") as folder:
        running = start(Path(folder) / "state", **settings)
        wait_until(lambda: "load_balancer" in features(running, "local-mock"), "the driver is ready")
        yield running
        running.stop()


def features(platform: Platform, cluster: str) -> list[str]:
    listed = platform.operator.get(f"{OPERATIONS}/clusters").json()["items"]
    return next((each["features"] for each in listed if each["name"] == cluster), [])


@pytest.fixture
def shell(tenant: Tenant, tmp_path: Path) -> Shell:
    return Shell(tenant, tmp_path)


@pytest.fixture
def balancer(shell: Shell) -> Callable[..., Any]:
    """``balancer(name)``: the load balancer as the command shows it."""
    return lambda name: json.loads(shell.run(0, "load-balancer", "show", name, "-o", "json"))


def test_the_command_makes_changes_and_deletes_one(
    tenant: Tenant, shell: Shell, balancer: Callable[..., Any], provider: Provider
) -> None:
    machine = tenant.make("virtual-machines", name="web-1", flavor="tiny", image="mock-linux")
    wish = ("--port", "443", "--machine", "web-1", "--label", "env=test")
    assert "quota: +1 load_balancers" in shell.run(0, "load-balancer", "create", "front", *wish, "--dry-run")
    made = shell.run(0, "load-balancer", "create", "front", *wish, "--wait")
    assert made.startswith("load-balancer front created: ACTIVE, 192.0.2.80 port 443")

    shown = balancer("front")
    assert (shown["status"], shown["algorithm"], shown["cluster"]) == ("ACTIVE", "ROUND_ROBIN", "local-mock")
    assert (shown["machine_ids"], shown["labels"]) == ([machine["id"]], {"env": "test"})
    assert json.loads(provider.file(shown["id"]).read_text())["backends"] == [machine["id"]]
    assert "front  ACTIVE  192.0.2.80  443   ROUND_ROBIN" in shell.run(0, "load-balancer", "list")
    assert "is used by" in shell.run(5, "vm", "delete", "web-1", "--yes")

    shell.run(0, "load-balancer", "update", "front", "--algorithm", "LEAST_CONNECTIONS", "--name", "edge", "--wait")
    kept = json.loads(provider.file(shown["id"]).read_text())
    assert (kept["algorithm"], kept["name"]) == ("LEAST_CONNECTIONS", "edge")

    shell.run(0, "load-balancer", "delete", "edge", "--wait")
    assert not provider.has(shown["id"])
    assert "load_balancer.delete" in shell.run(0, "job", "list")
    assert "There are no load balancers" in said_of_success(shell, "load-balancer", "list")


def test_a_file_declares_one_beside_its_machines(shell: Shell, tenant: Tenant, tmp_path: Path) -> None:
    file = tmp_path / "front.yaml"
    machine = "{kind: vm, name: web-1, flavor: tiny, image: mock-linux}"
    file.write_text(f"{{kind: load-balancer, name: front, port: 443, machine_ids: [web-1]}}\n---\n{machine}\n")

    done = shell.run(0, "apply", "-f", str(file), "--yes")
    assert done.endswith("vm web-1 created\nload-balancer front created\n")
    assert shell.run(0, "apply", "-f", str(file)).endswith("Plan: 2 unchanged.\n")
    wish = ("load-balancer", "create", "front", "--port", "443", "--machine", "web-1", "--if-not-exists")
    assert "exists with the same specification" in shell.run(0, *wish)
    file.write_text(file.read_text().replace("443", "444"))
    refused = shell.run(2, "apply", "-f", str(file), "--yes")
    assert f"{file}:1: load-balancer front: port: 443 -> 444: this cannot be changed" in refused


def said_of_success(shell: Shell, *words: str) -> str:
    """Return what the command writes to standard error when it succeeds."""
    answer = subprocess.run(
        [BIN / "stratoplane", *words], env=shell.environment, capture_output=True, text=True, check=True
    )
    return answer.stderr


def test_what_exceeds_the_quota_is_refused_until_one_is_deleted(
    platform: Platform, tenant: Tenant, shell: Shell
) -> None:
    quotas = f"{OPERATIONS}/organizations/{tenant.organization_id}/quotas"
    assert platform.operator.put(quotas, json={"load_balancers": 1}).status_code == 200
    shell.run(0, "load-balancer", "create", "a", "--port", "80", "--wait")
    assert "load_balancers" in shell.run(0, "quota", "show")

    refused = shell.run(6, "load-balancer", "create", "b", "--port", "81")
    assert "load_balancers" in refused
    assert tenant.used() == {"load_balancers": 1}

    shell.run(0, "load-balancer", "delete", "a", "--wait")
    assert tenant.used() == {}
    shell.run(0, "load-balancer", "create", "b", "--port", "81", "--wait")


def test_a_create_outlasts_the_maintenance_of_the_provider(
    tenant: Tenant, shell: Shell, balancer: Callable[..., Any], provider: Provider
) -> None:
    provider.maintain()
    try:
        shell.run(0, "load-balancer", "create", "patient", "--port", "443")

        def told() -> Any:
            (job,) = tenant.call("GET", "/jobs").json()["items"]
            steps = tenant.call("GET", f"/jobs/{job['id']}").json()["steps"]
            return any(step["error"] for step in steps)

        wait_until(told, "the job tells of the provider's error")
        assert balancer("patient")["status"] == "PENDING"
    finally:
        provider.maintain(ends=True)

    shell.run(0, "load-balancer", "wait", "patient", "--status", "ACTIVE")


def test_what_the_provider_refuses_fails_and_gives_back_its_quota(
    tenant: Tenant, shell: Shell, balancer: Callable[..., Any]
) -> None:
    failed = shell.run(1, "load-balancer", "create", "mail", "--port", "25", "--wait")

    assert "give an operator the job's id" in failed
    assert balancer("mail")["status"] == "FAILED"
    assert tenant.used() == {}


@pytest.fixture(scope="module")
def plain_cluster(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of another cluster, whose agent has not enabled the kind."""
    made = platform.operator.post(f"{OPERATIONS}/clusters", json={"name": "plain"}).json()
    token = platform.operator.post(f"{OPERATIONS}/clusters/{made['id']}/join-tokens", json={}).json()["token"]
    chosen = {
        "STRATOPLANE_AGENT_STATE": str(tmp_path_factory.mktemp("plain")),
        "STRATOPLANE_AGENT_CONTROL_PLANE": platform.report()["agent_url"],
        "STRATOPLANE_AGENT_JOIN_TOKEN": token,
        "STRATOPLANE_AGENT_DRIVER": "mock",
        "STRATOPLANE_AGENT_DRIVER_KINDS": "",
        "STRATOPLANE_AGENT_INTERFACE_DRIVERS": "",
    }
    quiet = subprocess.DEVNULL
    command = [str(BIN / "stratoplane-agent"), "run"]
    with subprocess.Popen(command, env=platform.environment | chosen, stdout=quiet, stderr=quiet) as agent:
        wait_until(lambda: "compute" in features(platform, "plain"), "the other cluster is ready")
        yield "plain"
        platform.operator.patch(f"{OPERATIONS}/clusters/{made['id']}", json={"state": "DISABLED"})
        agent.terminate()


def test_a_cluster_without_a_driver_for_it_refuses_it(shell: Shell, plain_cluster: str, tenant: Tenant) -> None:
    refused = shell.run(2, "load-balancer", "create", "front", "--port", "443", "--cluster", plain_cluster)

    assert "cluster plain cannot do load_balancer; choose another cluster" in refused
    assert tenant.used() == {}
    for number in range(3):
        shell.run(0, "load-balancer", "create", f"lb-{number}", "--port", "443", "--wait")
    assert {each["cluster"] for each in tenant.call("GET", "/load-balancers").json()["items"]} == {"local-mock"}


def test_what_changes_at_the_provider_is_corrected_and_what_vanishes_is_lost(
    platform: Platform, shell: Shell, balancer: Callable[..., Any], provider: Provider
) -> None:
    shell.run(0, "load-balancer", "create", "watched", "--port", "443", "--wait")
    identifier = balancer("watched")["id"]
    file = provider.file(identifier)
    wanted = file.read_text()
    file.write_text(json.dumps(json.loads(wanted) | {"algorithm": "LEAST_CONNECTIONS"}))

    wait_until(lambda: file.read_text() == wanted, "the reconciler corrects the algorithm")
    drifts = f"{OPERATIONS}/drift?open=false&resource_id={identifier}"
    wait_until(lambda: platform.operator.get(drifts).json()["items"][0]["ended_at"], "the difference has ended")
    (ended,) = platform.operator.get(drifts).json()["items"]
    assert (ended["kind"], ended["field"], ended["policy"]) == ("load_balancer", "algorithm", "correct")

    file.unlink()
    wait_until(lambda: balancer("watched")["status"] == "LOST", "it is lost")

    def lost() -> Any:
        found = platform.operator.get(f"{OPERATIONS}/incidents", params={"kind": "resource-lost"}).json()["items"]
        return any(each["resource_id"] == identifier for each in found)

    wait_until(lost, "an incident tells of it")
    file.write_text(wanted)
    wait_until(lambda: balancer("watched")["status"] == "ACTIVE", "it is found again")
