# SPDX-License-Identifier: Apache-2.0
"""The command line and the environment of each role of the platform."""

import os
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from stratoplane_engine.plugins import FOUND_VARIABLE
from stratoplane_server.enabled_plugins import PLUGINS_VARIABLE
from stratoplane_server.settings import Configuration, ServerSettings
from stratoplane_server.state import StateFolder

_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # where gunicorn keeps its heartbeat, away from slow disks
_STOP_SECONDS: Final = 10


class Role(StrEnum):
    """A process of the platform that can run on a separate host."""

    API = "api"
    AGENT_API = "agent-api"
    WORKER = "worker"
    SCHEDULER = "scheduler"


def command(role: Role, settings: ServerSettings) -> list[str]:
    """Return the program and arguments of ``role``."""
    if role is Role.API:
        load = [f"--workers={settings.api_processes}", "--worker-class=stratoplane_api.http_worker.HttpWorker"]
        application = f"stratoplane_api.asgi:create_application(threads={settings.api_threads})"
        return [*_gunicorn(settings.api_listen), *load, "--preload", application]
    if role is Role.AGENT_API:
        load = ["--workers=1", "--worker-class=stratoplane_api.agent_worker.AgentWorker"]
        load += ["--worker-connections=10000", "--backlog=8192"]
        application = "stratoplane_api.wsgi:create_agent_application()"
        return [*_gunicorn(settings.agent_listen), *load, application]
    return [sys.executable, "-m", f"stratoplane_engine.roles.{role.value}"]


def environment(
    configuration: Configuration,
    *,
    database_url: str,
    redis_url: str,
    plugins: Sequence[str],
    inherited: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """Return the variables for a role: the settings, overridden by the environment."""
    settings = configuration.server
    chosen = {
        "PYTHONUNBUFFERED": "1",
        "MALLOC_ARENA_MAX": "2",  # fewer malloc arenas for threads; saves tens of MB in each process
        **configuration.variables,
        **inherited,
    }
    fixed = {
        "STRATOPLANE_DATABASE_URL": database_url,
        "STRATOPLANE_REDIS_URL": redis_url,
        "STRATOPLANE_STATE": str(settings.state),
        FOUND_VARIABLE: str(StateFolder(path=settings.state).plugins_found),
        PLUGINS_VARIABLE: ",".join(plugins),
    }
    return {**chosen, **fixed}


def _gunicorn(listen: str) -> list[str]:
    heartbeat = [f"--worker-tmp-dir={_SHARED_MEMORY}"] if _SHARED_MEMORY.is_dir() else []
    return [
        *(sys.executable, "-m", "gunicorn", f"--bind={listen}", "--no-control-socket", "--log-level=warning"),
        "--config=python:stratoplane_server.gunicorn_hooks",
        *("--timeout=60", f"--graceful-timeout={_STOP_SECONDS}", "--keep-alive=75", *heartbeat),
    ]
