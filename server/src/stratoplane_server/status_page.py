# SPDX-License-Identifier: Apache-2.0
"""``status``: the platform's health on one page."""

import dataclasses
import json
from typing import Final

from stratoplane_server import health
from stratoplane_server.databases import NoDatabaseError, living_report, running_urls
from stratoplane_server.health import Health
from stratoplane_server.settings import Configuration
from stratoplane_server.state import StateFolder
from stratoplane_server.tables import duration, render

_MIB: Final = 1024 * 1024


def gather(configuration: Configuration) -> Health:
    """Check everything, even if the platform is not running.

    Raises:
        NoDatabaseError: the platform is not running here and the settings do not name databases.
    """
    settings = configuration.server
    report = living_report(StateFolder(path=settings.state))
    api_url = report.api_url if report else settings.api_url
    processes = health.processes(report) if report else ()
    disk = health.disk(settings.state, settings.disk_warning_percent)
    try:
        database_url, redis_url = running_urls(configuration)
    except NoDatabaseError:
        if report is None:
            raise
        return Health(api_url=api_url, processes=processes, services=(), clusters=(), disk=disk)
    database, clusters = health.database_and_clusters(database_url)
    services = (database, health.valkey(redis_url))
    return Health(api_url=api_url, processes=processes, services=services, clusters=clusters, disk=disk)


def as_json(found: Health) -> str:
    """Return everything as JSON: sizes in bytes, times in seconds."""
    return json.dumps({"healthy": found.healthy, **dataclasses.asdict(found)}, indent=2)


def as_table(found: Health) -> str:
    """Return tables for people and one line with the result."""
    blocks = [_processes(found), _services(found), _clusters(found), _disk(found)]
    if not found.healthy:
        verdict = "not healthy"
    elif found.processes:
        verdict = f"healthy: API {found.api_url}"
    else:
        verdict = "healthy: the databases and clusters; no process of the platform was looked at"
    return "\n\n".join([*(block for block in blocks if block), verdict])


def _processes(found: Health) -> str:
    if not found.processes:
        return "the platform is not running in this state folder"
    rows = [
        (
            each.name,
            each.state,
            str(each.pid or "-"),
            f"{each.memory / _MIB:.0f} MiB" if each.memory is not None else "-",
            duration(each.uptime) if each.pid else "-",
            str(each.restarts),
            each.problem,
        )
        for each in found.processes
    ]
    total = sum(each.memory or 0 for each in found.processes)
    rows.append(("all", "", "", f"{total / _MIB:.0f} MiB", "", str(sum(each.restarts for each in found.processes)), ""))
    return render(("PROCESS", "STATE", "PID", "MEMORY", "UPTIME", "RESTARTS", "PROBLEM"), rows)


def _services(found: Health) -> str:
    rows = [(each.name, "up" if each.healthy else "down", each.address, each.detail) for each in found.services]
    return render(("SERVICE", "STATE", "ADDRESS", "DETAIL"), rows) if rows else ""


def _disk(found: Health) -> str:
    if found.disk is None:
        return ""
    row = (found.disk.path, f"{found.disk.used_percent:.0f}%", f"{found.disk.free / _MIB:.0f} MiB", found.disk.problem)
    return render(("DISK", "USED", "FREE", "PROBLEM"), [row])


def _clusters(found: Health) -> str:
    rows = [
        (
            each.name,
            each.state,
            "connected" if each.connected else "away",
            "never" if each.seen_seconds is None else f"{duration(each.seen_seconds)} ago",
            ", ".join(each.drivers) or "-",
            each.problem,
        )
        for each in found.clusters
    ]
    return render(("CLUSTER", "STATE", "AGENT", "SEEN", "DRIVERS", "PROBLEM"), rows) if rows else "no clusters"
