# SPDX-License-Identifier: Apache-2.0
"""A platform to put a proxy in front of, or a pooler behind."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.contrib.programs import free_port

BIN = Path(sys.executable).parent
COMMON, OPERATIONS, TENANT = "/api/common/v1", "/api/ops/v1", "/api/tenant/v1"


@dataclass(kw_only=True)
class Platform:
    """A running platform with databases of its own and without an agent."""

    state: Path
    environment: dict[str, str]
    api_port: int
    agent_port: int

    @property
    def credentials(self) -> dict[str, str]:
        return json.loads((self.state / "credentials.json").read_text(encoding="utf-8"))

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.state / "supervisor.json").read_text(encoding="utf-8"))

    def server(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the operator's command."""
        command = [str(BIN / "stratoplane-server"), *arguments]
        answer = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer


def log_in(url: str, username: str, password: str, **options: Any) -> httpx.Client:
    """Return a client that acts as a user at the API of ``url``; the caller closes it."""
    client = httpx.Client(base_url=url, timeout=40, **options)
    answer = client.post(f"{COMMON}/login", json={"username": username, "password": password})
    assert answer.status_code == 200, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
    return client


@contextmanager
def platform(*up: str, **settings: str) -> Iterator[Platform]:
    """Run a platform while the block lasts; ``up`` are more arguments of the starting command."""
    with tempfile.TemporaryDirectory(prefix="sp") as folder:
        api, agents = free_port(), free_port()
        environment = os.environ | {
            "STRATOPLANE_STATE": f"{folder}/state",
            "STRATOPLANE_API_LISTEN": f"127.0.0.1:{api}",
            "STRATOPLANE_AGENT_LISTEN": f"127.0.0.1:{agents}",
            **settings,
        }
        here = Platform(state=Path(folder, "state"), environment=environment, api_port=api, agent_port=agents)
        here.server("up", "--detach", *up)
        try:
            yield here
        finally:
            here.server("down")
