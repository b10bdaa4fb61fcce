# SPDX-License-Identifier: Apache-2.0
"""What the demonstration prints at its end: what happened, and what to try next."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from stratoplane_client.models.jobs import AuditEvent, Job
from stratoplane_client.models.platform import UNLIMITED, Quotas
from stratoplane_client.models.resources import VirtualMachine
from stratoplane_server.settings import DEFAULT_STATE
from stratoplane_server.state import StateFolder
from stratoplane_server.tables import render

EVENTS: Final = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step that was done."""

    what: str
    result: str
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The result: ``jobs`` are the machine's and ``events`` the project's, newest first."""

    steps: Sequence[Step]
    machine: VirtualMachine
    quotas: Quotas
    events: Sequence[AuditEvent]
    jobs: Sequence[Job]


def page(outcome: Outcome) -> str:
    """Return the tables: steps, machine, the machine's jobs, quota, audit trail."""
    blocks = {
        "What was done": render(
            ("STEP", "RESULT", "TIME"), [(step.what, step.result, f"{step.seconds:.2f} s") for step in outcome.steps]
        ),
        "The virtual machine": _machine(outcome.machine),
        "Its job": _jobs(outcome.jobs),
        "Quota of the organization": _quotas(outcome.quotas),
        f"Audit trail (the last {len(outcome.events)})": _events(outcome.events),
    }
    return "\n".join(f"\n{title}\n\n{_indented(block)}" for title, block in blocks.items())


def farewell(url: str, folder: StateFolder, organization: str, project: str) -> str:
    """Return where to find everything, and three commands to try."""
    client, server = _command("stratoplane"), _command("stratoplane-server")
    password = _short(folder.demo_password)
    where = "" if _short(folder.path) == DEFAULT_STATE else f" --state {_short(folder.path)}"
    return f"""
The platform keeps running.

  API            {url}  (its description: {url}/api/common/v1/openapi.json)
  administrator  {_short(folder.credentials)}
  {organization + "'s user":13}  demo, password in {password}

Try next:

  {client} login {url} --username demo --password-stdin < {password}
  {client} --project {project} vm list
  {server} status{where}

Stop it with `{server} down{where}`; its data stays in {_short(folder.path)}.
"""


def _machine(machine: VirtualMachine) -> str:
    facts = {
        "name": machine.name,
        "id": machine.id,
        "status": machine.status,
        "addresses": ", ".join(f"{each.address} ({each.mac})" for each in machine.addresses),
        "size": f"{machine.vcpus} vCPU, {machine.memory_mib} MiB, {machine.disk_gib} GiB",
        "cluster": str(machine.cluster),
    }
    return render(("FACT", "VALUE"), list(facts.items()))


def _jobs(jobs: Sequence[Job]) -> str:
    rows = [
        (job.kind, step.name, step.state, str(step.attempts), _between(step.started_at, step.finished_at))
        for job in jobs
        for step in job.steps
    ]
    return render(("JOB", "STEP", "STATE", "ATTEMPTS", "TIME"), rows)


def _quotas(quotas: Quotas) -> str:
    rows = [
        (line.key, str(line.used), "unlimited" if line.limit == UNLIMITED else str(line.limit))
        for line in quotas.organization
        if line.used
    ]
    return render(("KEY", "USED", "LIMIT"), rows)


def _events(events: Sequence[AuditEvent]) -> str:
    rows = [
        (
            f"{event.occurred_at:%H:%M:%S}" if event.occurred_at else "",
            event.actor,
            event.action,
            event.subject_name,
            event.outcome,
        )
        for event in events
    ]
    return render(("TIME", "ACTOR", "ACTION", "SUBJECT", "OUTCOME"), rows)


def _between(start: datetime | None, end: datetime | None) -> str:
    return f"{(end - start).total_seconds():.3f} s" if start and end else ""


def _indented(block: str) -> str:
    return "\n".join(f"  {line}" for line in block.splitlines())


def _command(name: str) -> str:
    """Return how to call a command that is installed beside this Python."""
    beside = Path(sys.executable).parent / name
    return _short(beside) if beside.exists() else name


def _short(path: Path) -> str:
    """Return ``path`` relative to the current folder if it is inside."""
    here = Path(os.getcwd())  # noqa: PTH109  # as the shell sees it
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
