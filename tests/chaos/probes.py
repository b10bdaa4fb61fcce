# SPDX-License-Identifier: Apache-2.0
"""What is asked of a healthy tree after the storm: that a key is one request, and that a wake-up comes at once."""

import statistics
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import httpx

from tests.chaos.checkers import Finding
from tests.chaos.tenants import Project
from tests.chaos.tree import Tree, wait_until

_PROBES: Final = 9
_AT_ONCE: Final = 8
# A lost wake-up is made up for by whoever looks first: two workers and two sweepers, each every 5 seconds.
WAKE_SECONDS: Final = 0.5


def probe(tree: Tree, project: Project) -> Iterator[Finding]:
    """Yield what is wrong with keys (J7) and with wake-ups (J8)."""
    url = tree.report()["api_url"]
    with httpx.Client(base_url=url, timeout=30, headers={"Authorization": project.token}) as client:
        yield from _one_request(client, project)
        yield from _woken_at_once(tree, client, project)


def _order(client: httpx.Client, project: Project, name: str, key: str, size: int = 1) -> httpx.Response:
    body = {"name": name, "size_gib": size}
    return client.post(f"{project.path}/volumes", json=body, headers={"Idempotency-Key": key})


def _one_request(client: httpx.Client, project: Project) -> Iterator[Finding]:
    key, name = str(uuid.uuid4()), f"key-{uuid.uuid4().hex[:12]}"
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(lambda _: _order(client, project, name, key), range(_AT_ONCE)))
    jobs = {answer.json()["job"]["id"] for answer in answers if answer.is_success}
    codes = {answer.status_code for answer in answers}
    if len(jobs) != 1 or not codes <= {200, 202, 409}:
        yield Finding(mark="broken", invariant="J7", subject=key, what=f"{len(jobs)} jobs, answers {sorted(codes)}")
    other = _order(client, project, name, key, size=2).status_code
    if other != httpx.codes.UNPROCESSABLE_ENTITY:
        yield Finding(mark="broken", invariant="J7", subject=key, what=f"another body under the key: {other}")


def _woken_at_once(tree: Tree, client: httpx.Client, project: Project) -> Iterator[Finding]:
    waits = [_wait_of(tree, client, project) for _ in range(_PROBES)]
    if (median := statistics.median(waits)) > WAKE_SECONDS:
        what = f"jobs of a healthy tree wait {median:.2f} s for their worker: nobody wakes it"
        yield Finding(mark="broken", invariant="J8", subject="outbox", what=what)


def _wait_of(tree: Tree, client: httpx.Client, project: Project) -> float:
    """Return the seconds between the acceptance of an order and its first claim, on the database's clock."""
    key = str(uuid.uuid4())
    job: str = Tree.must(_order(client, project, f"wake-{key[:12]}", key))["job"]["id"]

    def claimed() -> list[dict[str, Any]]:
        query = """SELECT extract(epoch FROM started_at - created_at)::float AS seconds FROM job
            WHERE id = %s AND finished_at IS NOT NULL"""
        return tree.observer.rows(query, job)

    rows: list[dict[str, Any]] = wait_until(claimed, f"job {job} ends")
    seconds: float = rows[0]["seconds"]
    return seconds
