# SPDX-License-Identifier: Apache-2.0
"""One fault at one named place, the same at every run: what the random storm meets by chance."""

import os
import signal
import uuid
from typing import Any, Final

import httpx

from tests.chaos.tenants import Project
from tests.chaos.tree import IMAGE, Tree, wait_until

_PATIENCE: Final = 30.0


def order(tree: Tree, project: Project, collection: str = "volumes") -> str:
    """Order something, again with the same key while no answer comes, and return the job."""
    key = str(uuid.uuid4())
    body: dict[str, Any] = {"name": f"s-{key[:13]}"}
    machine = {"flavor": "tiny", "image": IMAGE.removesuffix(".qcow2")}
    body |= machine if collection == "virtual-machines" else {"size_gib": 1}
    url = f"{tree.report()['api_url']}{project.path}/{collection}"
    headers = {"Authorization": project.token, "Idempotency-Key": key}

    def answered() -> str:
        try:
            answer = httpx.post(url, json=body, headers=headers, timeout=10)
        except httpx.TransportError:
            return ""
        return str(answer.json()["job"]["id"]) if answer.is_success else ""

    return str(wait_until(answered, f"{collection} are accepted", _PATIENCE))


def ends(tree: Tree, job: str) -> str:
    """Return how a job ended."""
    query = "SELECT state FROM job WHERE id = %s AND finished_at IS NOT NULL"
    rows: list[dict[str, str]] = wait_until(lambda: tree.observer.rows(query, job), f"job {job} ends", _PATIENCE)
    return rows[0]["state"]


def victim(tree: Tree, point: str) -> int:
    """Return the process that met its fate at ``point``."""
    numbers: list[int] = wait_until(lambda: tree.victims(point), f"somebody comes by {point}", _PATIENCE)
    return numbers[0]


def end_lease(tree: Tree, pid: int) -> None:
    """Let the lease of what a worker holds be over, as if its time had passed."""
    tree.observer.run(
        "UPDATE job SET lease_until = clock_timestamp() - interval '1 second'"
        " WHERE lease_until IS NOT NULL AND lease_owner LIKE %s",
        f"%:{pid}",
    )


def write_after_the_lease(tree: Tree, project: Project) -> None:
    """A worker stands still with its verdict in hand until another has done the job, and then writes."""
    tree.arm("worker-after-verdict", "stop")
    job = order(tree, project)
    pid = victim(tree, "worker-after-verdict")
    end_lease(tree, pid)
    ends(tree, job)
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: _said_or_done(tree, job), "the late verdict is refused or taken", _PATIENCE)


def _said_or_done(tree: Tree, job: str) -> bool:
    query = "SELECT 1 FROM chaos.job_event WHERE job = %s AND was IN ('SUCCEEDED', 'FAILED', 'CANCELLED')"
    return bool(tree.observer.rows(query, job) or tree.log_lines("updates of jobs were refused"))


def stand_still_with_a_lease(tree: Tree, project: Project) -> None:
    """A worker stands still with a job that it has just claimed; the other one goes on with what there is."""
    tree.arm("worker-after-claim", "stop")
    job = order(tree, project)
    pid = victim(tree, "worker-after-claim")
    ends(tree, order(tree, project))
    os.kill(pid, signal.SIGCONT)
    ends(tree, job)


def die_after_the_effect(tree: Tree, project: Project) -> None:
    """The agent dies when the provider has made the machine, before it could write that down."""
    tree.arm("agent-after-effect", "kill")
    job = order(tree, project, "virtual-machines")
    victim(tree, "agent-after-effect")
    ends(tree, job)
