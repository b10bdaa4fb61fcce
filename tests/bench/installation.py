# SPDX-License-Identifier: Apache-2.0
"""A platform of the benchmark's own: started in a temporary folder, with a tenant that may have a lot."""

import copy
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.bench.http_client import Access, Session

TENANT = "/api/tenant/v1"
OPERATIONS = "/api/ops/v1"
COMMON = "/api/common/v1"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Installation:
    """The running platform, an operator's session and a tenant's.

    Args:
        folder: an empty folder for the state.
    """

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        api, agents = _free_port(), _free_port()
        self._environment = os.environ | {
            "STRATOPLANE_STATE": str(self.state),
            "STRATOPLANE_API_LISTEN": f"127.0.0.1:{api}",
            "STRATOPLANE_AGENT_LISTEN": f"127.0.0.1:{agents}",
            "STRATOPLANE_API_RATE_REQUESTS": "10000000",
            "STRATOPLANE_API_AGENT_CONNECTIONS": "0",
        }
        self.url = f"http://127.0.0.1:{api}"
        self.project = ""
        self.network = ""

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self._server("down")
            raise
        return self

    def _begin(self) -> None:
        self._server("up", "--detach")
        credentials = json.loads((self.state / "credentials.json").read_text())
        login = {"username": credentials["username"], "password": credentials["password"]}
        self.operator = Session(self._logged_in(login))
        self._make_tenant("bench")

    def neighbour(self) -> Self:
        """Return the same installation as another, new organization on it sees it."""
        other = copy.copy(self)
        other._make_tenant("neighbour")
        return other

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server("down")

    def _server(self, *arguments: str) -> None:
        command = [str(Path(sys.executable).parent / "stratoplane-server"), *arguments]
        subprocess.run(command, env=self._environment, check=True, stdout=sys.stderr)

    def _logged_in(self, login: dict[str, str]) -> Access:
        token = Session(Access(url=self.url, token="")).must("POST", f"{COMMON}/login", login)["token"]
        return Access(url=self.url, token=token)

    def _make_tenant(self, name: str) -> None:
        organization = self.operator.must("POST", f"{OPERATIONS}/organizations", {"name": name})
        quotas = f"{OPERATIONS}/organizations/{organization['id']}/quotas"
        limits = {line["key"]: -1 for line in self.operator.must("GET", quotas)["organization"]}
        self.operator.must("PUT", quotas, limits)
        login = {"username": name, "password": "benchmark-password-1"}
        user = self.operator.must("POST", f"{OPERATIONS}/users", {**login, "organization_id": organization["id"]})
        binding = {"user_id": user["id"], "role": "organization-admin"}
        self.operator.must("POST", f"{OPERATIONS}/role-bindings", binding)
        self.access = self._logged_in(login)
        self.tenant = Session(self.access)
        self.organization = organization["id"]
        self.project = self.tenant.must("POST", f"{TENANT}/projects", {"name": name})["id"]
        network = {"name": name, "cidr": "10.0.0.0/8"}
        self.network = self.tenant.must("POST", f"{self.path}/networks", network)["network"]["id"]
        self.wait_until(self._network_is_ready, "the network is ready")

    def _network_is_ready(self) -> bool:
        status: str = self.tenant.must("GET", f"{self.path}/networks/{self.network}")["status"]
        return status == "ACTIVE"

    @property
    def path(self) -> str:
        """Return the path of the tenant's project."""
        return f"{TENANT}/projects/{self.project}"

    def machine(self, name: str) -> dict[str, object]:
        """Return the body that asks for a small machine."""
        return {"name": name, "flavor": "tiny", "image": "mock-linux", "network_ids": [self.network]}

    @staticmethod
    def wait_until(condition: Any, what: str, *, seconds: float = 120.0, pause: float = 0.02) -> None:
        """Wait until ``condition`` holds."""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                raise TimeoutError(f"{what}: not within {seconds:.0f} s")
            time.sleep(pause)

    def supervisor(self) -> dict[str, Any]:
        """Return what the supervisor wrote of its processes."""
        document: dict[str, Any] = json.loads((self.state / "supervisor.json").read_text())
        return document
