# SPDX-License-Identifier: Apache-2.0
"""The real process tree: the supervisor's children, a second scheduler, and an agent behind a proxy."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Self

import httpx

from tests.chaos.keeper import Keeper
from tests.chaos.observer import Observer
from tests.chaos.proxy import Proxy

STARTED: Final = Path(__file__).parent / "started"
OPERATIONS: Final = "/api/ops/v1"
COMMON: Final = "/api/common/v1"
CLUSTER: Final = "chaos"
IMAGE: Final = "mock-linux.qcow2"
MISSING_IMAGE: Final = "no-such-image"
_PATIENCE: Final = 60.0


def wait_until(condition: Callable[[], Any], what: str, seconds: float = _PATIENCE) -> Any:
    """Return the first true answer of ``condition``; TimeoutError when there is none in time."""
    until = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)
    return answer


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Tree:
    """Everything that runs, with default lease, sweep and reconciliation.

    Attributes:
        crashpoints: the folder that arms crash points.
        clients, agents: the proxies before the API and before the agents' API.
        observer: the database, and what it wrote down.
    """

    def __init__(self, folder: Path, *, seed: int = 0, mutations: Sequence[str] = (), workers: int = 2) -> None:
        self.state: Final = folder / "state"
        self.crashpoints: Final = folder / "crashpoints"
        self.crashpoints.mkdir(parents=True)
        api, agents = _free_port(), _free_port()
        self.environment: Final = os.environ | {
            "STRATOPLANE_STATE": str(self.state),
            "STRATOPLANE_API_LISTEN": f"127.0.0.1:{api}",
            "STRATOPLANE_AGENT_LISTEN": f"127.0.0.1:{agents}",
            "STRATOPLANE_WORKERS": str(workers),
            "STRATOPLANE_API_RATE_REQUESTS": "10000000",
            "STRATOPLANE_API_LOGIN_ATTEMPTS": "10000",
            "STRATOPLANE_CRASHPOINTS": str(self.crashpoints),
            "STRATOPLANE_CHAOS_MUTATION": ",".join(mutations),
            "STRATOPLANE_MOCK_IMAGES": IMAGE,
            "STRATOPLANE_MOCK_SEED": str(seed),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(STARTED), os.environ.get("PYTHONPATH", "")])),
        }
        self.clients: Final = Proxy(("127.0.0.1", api), seed)
        self.agents: Final = Proxy(("127.0.0.1", agents), seed + 1)
        self._keepers: Final[dict[str, Keeper]] = {}
        self._sessions: Final[list[httpx.Client]] = []

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        for session in self._sessions:
            session.close()
        for keeper in self._keepers.values():
            keeper.stop()
        self.server("down")
        self.clients.close()
        self.agents.close()

    def server(self, *arguments: str) -> None:
        """Run the operator's command; CalledProcessError when it fails."""
        command = [str(Path(sys.executable).parent / "stratoplane-server"), *arguments]
        subprocess.run(command, env=self.environment, check=True, stdout=sys.stderr, timeout=180)

    def _begin(self) -> None:
        self.server("up", "--detach", "--no-agent")
        report = self.report()
        self.observer = Observer(report["database_url"])
        self.redis_url: str = report["redis_url"]
        self.observer.install()
        self.operator = self.log_in(**self._credentials())
        body = {"name": MISSING_IMAGE, "source": "nowhere.qcow2", "description": "no provider has it"}
        self.must(self.operator.post(f"{OPERATIONS}/images", json=body))
        self._start_scheduler(report)
        self._start_agent()
        wait_until(self._cluster_is_ready, "the cluster is ready")

    def _credentials(self) -> dict[str, str]:
        kept = json.loads((self.state / "credentials.json").read_text())
        return {"username": kept["username"], "password": kept["password"]}

    def _start_scheduler(self, report: dict[str, Any]) -> None:
        urls = {"STRATOPLANE_DATABASE_URL": report["database_url"], "STRATOPLANE_REDIS_URL": report["redis_url"]}
        log = self.state / "logs" / "scheduler-2.log"
        self._keepers["scheduler-2"] = Keeper("stratoplane_engine.roles.scheduler", [], self.environment | urls, log)

    def _start_agent(self) -> None:
        cluster = self.must(self.operator.post(f"{OPERATIONS}/clusters", json={"name": CLUSTER}))
        path = f"{OPERATIONS}/clusters/{cluster['id']}/join-tokens"
        token = self.must(self.operator.post(path, json={"expires_in": 3600}))["token"]
        variables = {
            "STRATOPLANE_AGENT_STATE": str(self._agent_folder),
            "STRATOPLANE_AGENT_CONTROL_PLANE": self.agents.url,
            "STRATOPLANE_AGENT_NAME": CLUSTER,
            "STRATOPLANE_AGENT_DRIVER": "mock",
            "STRATOPLANE_AGENT_JOIN_TOKEN": token,
        }
        log = self.state / "logs" / "agent.log"
        self._keepers["agent"] = Keeper("stratoplane_agent", ["run"], self.environment | variables, log)

    def _cluster_is_ready(self) -> bool:
        clusters = self.operator.get(f"{OPERATIONS}/clusters").json()["items"]
        return any("compute" in cluster["features"] for cluster in clusters)

    @property
    def _agent_folder(self) -> Path:
        return self.state / "agents" / "mock"

    @property
    def region(self) -> Path:
        """The file of the simulated region."""
        return self._agent_folder / "drivers" / "mock" / "mock-region.sqlite3"

    def mock(self, *arguments: str) -> str:
        """Run the region's command and return what it says."""
        command = [str(Path(sys.executable).parent / "stratoplane-mock"), *arguments]
        done = subprocess.run(
            command, env=self.environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return f"{done.returncode} {done.stdout}"

    def objects(self) -> list[dict[str, str]]:
        """Return uid, kind and name of everything that the region holds."""
        query = " UNION ALL ".join(
            f"SELECT uid, '{kind}' AS kind, name FROM {kind}"  # noqa: S608  # constants
            for kind in ("machine", "network", "volume", "bucket")
        )
        with closing(sqlite3.connect(self.region, timeout=30)) as connection:
            return [dict(zip(("uid", "kind", "name"), row, strict=True)) for row in connection.execute(query)]

    def report(self) -> dict[str, Any]:
        """Return what the supervisor says of its processes."""
        document: dict[str, Any] = json.loads((self.state / "supervisor.json").read_text())
        return document

    def pid(self, name: str) -> int:
        """Return the process number of a process of the tree, 0 while it has none."""
        if name in self._keepers:
            return self._keepers[name].pid
        found = next(each for each in self.report()["children"] if each["name"] == name)
        return int(found["process"]["pid"]) if found["process"] else 0

    def log_in(self, username: str, password: str) -> httpx.Client:
        """Return a client, past the proxy, that acts as the user."""
        client = httpx.Client(base_url=self.report()["api_url"], timeout=30)
        self._sessions.append(client)
        token = self.must(client.post(f"{COMMON}/login", json={"username": username, "password": password}))["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        return client

    @staticmethod
    def must(answer: httpx.Response) -> dict[str, Any]:
        """Return the document of an answer that has to be a success."""
        if not answer.is_success:
            raise RuntimeError(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}")
        document: dict[str, Any] = answer.json()
        return document

    def log_lines(self, words: str) -> list[str]:
        """Return the lines of all logs that contain ``words``."""
        logs = (self.state / "logs").glob("*.log")
        return [line for log in logs for line in log.read_text(errors="replace").splitlines() if words in line]

    def arm(self, point: str, fate: str) -> None:
        """Let the next process that comes by ``point`` be killed or stopped there."""
        unfinished = self.crashpoints / f".{point}"
        unfinished.write_text(fate)
        unfinished.rename(self.crashpoints / point)

    def victims(self, point: str) -> list[int]:
        """Return the numbers of the processes that met their fate at ``point``."""
        return [int(each.name.split(".")[1]) for each in self.crashpoints.glob(f"{point}.*.hit")]
