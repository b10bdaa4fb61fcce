# SPDX-License-Identifier: Apache-2.0
"""One platform for each test process: the real process tree, as an operator starts it."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

TENANT = "/api/tenant/v1"
OPERATIONS = "/api/ops/v1"
COMMON = "/api/common/v1"
# Only a fault, never a busy machine, makes a test wait so long.
PATIENCE = 180.0


def wait_until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Return the first true answer of ``condition``; fail when there is none in time."""
    until = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < until, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.05)
    return answer


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass(kw_only=True)
class Platform:
    """A running platform and how to command it."""

    state: Path
    environment: dict[str, str]
    url: str
    operator: httpx.Client = field(init=False)
    clients: list[httpx.Client] = field(default_factory=list)

    def server(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the operator's command."""
        command = [str(Path(sys.executable).parent / "stratoplane-server"), *arguments]
        return subprocess.run(
            command, env=self.environment, check=check, capture_output=True, text=True, timeout=PATIENCE
        )

    def log_in(self, username: str, password: str) -> httpx.Client:
        """Return a client that acts as the user."""
        client = httpx.Client(base_url=self.url, timeout=PATIENCE)
        self.clients.append(client)
        answer = client.post(f"{COMMON}/login", json={"username": username, "password": password})
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        return client

    def stop(self) -> None:
        """Stop the platform and close what was opened to it."""
        for client in self.clients:
            client.close()
        self.server("down")

    def report(self) -> dict[str, Any]:
        """Return what the supervisor says of its processes."""
        document: dict[str, Any] = json.loads((self.state / "supervisor.json").read_text())
        return document

    def pid(self, child: str) -> int:
        """Return the process number of a child of the supervisor, 0 while it has none."""
        found = next(each for each in self.report()["children"] if each["name"] == child)
        pid: int = found["process"]["pid"] if found["process"] else 0
        return pid


@dataclass(kw_only=True)
class Tenant:
    """A project of an organization of its own, and a user who may do everything in it."""

    platform: Platform
    client: httpx.Client
    organization_id: str
    project_id: str
    username: str
    password: str

    @property
    def path(self) -> str:
        """Return the project's path."""
        return f"{TENANT}/projects/{self.project_id}"

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request below the project."""
        return self.client.request(method, f"{self.path}{path}", **options)

    def make(self, collection: str, **body: Any) -> dict[str, Any]:
        """Create a resource, wait for its job to succeed, and return the resource."""
        answer = self.call("POST", f"/{collection}", json=body)
        assert answer.status_code in (201, 202), answer.text
        document: dict[str, Any] = answer.json()
        kind = next(key for key in document if key != "job")
        if document.get("job"):
            job = self.end_of(document["job"]["id"])
            assert job["state"] == "SUCCEEDED", job
        fresh: dict[str, Any] = self.call("GET", f"/{collection}/{document[kind]['id']}").json()
        return fresh

    def end_of(self, job_id: str) -> dict[str, Any]:
        """Return a job when it has ended."""

        def ended() -> dict[str, Any] | None:
            job: dict[str, Any] = self.call("GET", f"/jobs/{job_id}", params={"wait": 10}).json()
            return job if job["state"] in ("SUCCEEDED", "FAILED", "CANCELLED") else None

        job: dict[str, Any] = wait_until(ended, f"job {job_id} ends")
        return job

    def change(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Ask for a change and return its job when it has ended."""
        answer = self.call(method, path, **options)
        assert answer.status_code == 202, answer.text
        return self.end_of(answer.json()["job"]["id"])

    def used(self) -> dict[str, int]:
        """Return what the project uses of its quotas, without the zeros."""
        lines = self.call("GET", "/quotas").json()["project"]
        return {line["key"]: line["used"] for line in lines if line["used"]}


class Shell:
    """The command as a process, logged in as the tenant's administrator."""

    def __init__(self, tenant: Tenant, folder: Path) -> None:
        self.environment = tenant.platform.environment | {"STRATOPLANE_CONFIG_FILE": str(folder / "config.toml")}
        login = ("login", tenant.platform.url, "-u", tenant.username, "--password-stdin")
        self.run(0, *login, stdin=tenant.password)

    def run(self, code: int, *words: str, stdin: str = "") -> str:
        """Run it, insist on its exit code, and return what it printed: on standard error if it failed."""
        command = [str(Path(sys.executable).with_name("stratoplane")), *words]
        answer = subprocess.run(command, env=self.environment, input=stdin, capture_output=True, text=True, check=False)
        assert answer.returncode == code, answer.stdout + answer.stderr
        return answer.stderr if code else answer.stdout


def start(folder: Path, **settings: str) -> Platform:
    """Start a platform with its state in ``folder``."""
    api, agents = free_port(), free_port()
    environment = os.environ | {
        "STRATOPLANE_STATE": str(folder),
        "STRATOPLANE_API_LISTEN": f"127.0.0.1:{api}",
        "STRATOPLANE_AGENT_LISTEN": f"127.0.0.1:{agents}",
        "STRATOPLANE_RECONCILE_SECONDS": "1",
        "STRATOPLANE_FULL_COMPARISON_SECONDS": "2",
        "STRATOPLANE_API_INVENTORY_SECONDS": "2",
        "STRATOPLANE_API_LOGIN_ATTEMPTS": "10000",
        **settings,
    }
    platform = Platform(state=folder, environment=environment, url=f"http://127.0.0.1:{api}")
    begun = platform.server("up", "--detach", check=False)
    if "continuing in the background" in begun.stderr:  # the command gives up before a busy machine is done
        wait_until(lambda: platform.report()["ready"], "the platform is up")
    else:
        assert begun.returncode == 0, begun.stdout + begun.stderr
    credentials = json.loads((folder / "credentials.json").read_text())
    platform.operator = platform.log_in(credentials["username"], credentials["password"])
    wait_until(lambda: _a_cluster_is_ready(platform), "the local cluster is ready")
    return platform


def _a_cluster_is_ready(platform: Platform) -> bool:
    clusters = platform.operator.get(f"{OPERATIONS}/clusters").json()["items"]
    return any("compute" in cluster["features"] for cluster in clusters)


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """A platform that the tests of a process share; they keep apart by organizations."""
    with tempfile.TemporaryDirectory(prefix="sp") as folder:
        running = start(Path(folder) / "state")
        yield running
        running.stop()


def make_tenant(platform: Platform) -> Tenant:
    """Make an organization with an administrator and a project."""
    name = f"org-{uuid.uuid4().hex[:12]}"
    organization = platform.operator.post(f"{OPERATIONS}/organizations", json={"name": name})
    assert organization.status_code == 201, organization.text
    password = uuid.uuid4().hex
    user = {
        "organization_id": organization.json()["id"],
        "username": f"admin-{name}",
        "password": password,
    }
    answer = platform.operator.post(f"{OPERATIONS}/users", json=user)
    assert answer.status_code == 201, answer.text
    binding = {"user_id": answer.json()["id"], "role": "organization-admin"}
    assert platform.operator.post(f"{OPERATIONS}/role-bindings", json=binding).status_code == 201
    client = platform.log_in(user["username"], password)
    project = client.post(f"{TENANT}/projects", json={"name": "main"})
    assert project.status_code == 201, project.text
    return Tenant(
        platform=platform,
        client=client,
        organization_id=user["organization_id"],
        project_id=project.json()["id"],
        username=user["username"],
        password=password,
    )


@pytest.fixture
def tenant(platform: Platform) -> Tenant:
    """A tenant of this test's own."""
    return make_tenant(platform)
