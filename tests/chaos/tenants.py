# SPDX-License-Identifier: Apache-2.0
"""Tenants who order, change and delete, and ask again with the same key when an answer is lost."""

import json
import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from tests.chaos.tree import IMAGE, MISSING_IMAGE, OPERATIONS, Tree

_RETRY: Final = frozenset({409, 425, 429, 500, 502, 503, 504})
_GOOD: Final = range(200, 300)
_KINDS: Final = {"virtual-machines": "virtual_machine", "networks": "network", "volumes": "volume"}


class History:
    """Every request and every fault, one JSON line each, for whoever looks for a cause later."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._lock: Final = threading.Lock()
        self._file: Final = path.open("a")

    def write(self, **facts: object) -> None:
        """Write a line."""
        with self._lock:
            self._file.write(json.dumps({"at": round(time.time(), 3), **facts}, default=str) + "\n")
            self._file.flush()


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project of an organization of its own, with the token of its administrator."""

    token: str
    path: str


def make_project(tree: Tree) -> Project:
    """Make an organization with an administrator and a project."""
    name, password = f"org-{uuid.uuid4().hex[:12]}", uuid.uuid4().hex
    organization = tree.must(tree.operator.post(f"{OPERATIONS}/organizations", json={"name": name}))
    user = {"organization_id": organization["id"], "username": f"admin-{name}", "password": password}
    made = tree.must(tree.operator.post(f"{OPERATIONS}/users", json=user))
    binding = {"user_id": made["id"], "role": "organization-admin"}
    tree.must(tree.operator.post(f"{OPERATIONS}/role-bindings", json=binding))
    client = tree.log_in(user["username"], password)
    project = tree.must(client.post("/api/tenant/v1/projects", json={"name": "main"}))
    return Project(token=client.headers["Authorization"], path=f"/api/tenant/v1/projects/{project['id']}")


@dataclass(kw_only=True)
class Tally:
    """What the tenants were promised: the job of each key, and what no platform may answer."""

    accepted: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def promise(self, key: str, job: str) -> None:
        """Note the job that a key was answered with; two different ones are wrong."""
        with self.lock:
            if self.accepted.setdefault(key, job) != job:
                self.wrong.append(f"J7: key {key} was answered with jobs {self.accepted[key]} and {job}")


class Tenant(threading.Thread):
    """One user with a random generator of their own."""

    def __init__(self, url: str, project: Project, seed: int, tally: Tally, history: History) -> None:
        super().__init__(daemon=True)
        self._random: Final = random.Random(seed)
        self._project: Final = project
        self._tally: Final = tally
        self._history: Final = history
        self._client: Final = httpx.Client(base_url=url, timeout=15, headers={"Authorization": project.token})
        self._mine: Final[list[tuple[str, str]]] = []
        self._ending: Final = threading.Event()
        self._until = float("inf")

    def finish(self, seconds: float) -> None:
        """Begin nothing more, and give up asking again after so many seconds."""
        self._until = time.monotonic() + seconds
        self._ending.set()

    def run(self) -> None:
        while not self._ending.wait(self._random.uniform(0.1, 0.6)):
            try:
                self._act()
            except Exception as error:  # a broken tenant must show, not vanish
                self._tally.wrong.append(f"a tenant broke: {error!r}")
                raise

    def _act(self) -> None:
        roll = self._random.random()
        if roll < 0.5 or not self._mine:
            self._create()
            return
        collection, identifier = self._random.choice(self._mine)
        if roll < 0.75:
            self._change(collection, identifier)
        elif self._ask("DELETE", f"/{collection}/{identifier}") is not None:
            self._mine.remove((collection, identifier))

    def _create(self) -> None:
        collection = self._random.choices(list(_KINDS), weights=(6, 1, 3))[0]
        body: dict[str, Any] = {"name": f"n-{self._random.getrandbits(48):012x}"}
        if collection == "networks":
            body["cidr"] = f"10.{self._random.randrange(200)}.0.0/16"
        elif collection == "volumes":
            body["size_gib"] = self._random.randrange(1, 20)
        else:
            image = MISSING_IMAGE if self._random.random() < 0.05 else IMAGE.removesuffix(".qcow2")
            networks = [each for kind, each in self._mine if kind == "networks"]
            body |= {"flavor": "tiny", "image": image, "network_ids": networks[-1:]}
        answer = self._ask("POST", f"/{collection}", body, twice=self._random.random() < 0.1)
        if answer is None:
            return
        self._mine.append((collection, answer[_KINDS[collection]]["id"]))
        if self._random.random() < 0.05 and answer.get("job"):
            self._ask("POST", f"/jobs/{answer['job']['id']}/cancel")

    def _change(self, collection: str, identifier: str) -> None:
        body: dict[str, Any] = {"name": f"r-{self._random.getrandbits(48):012x}"}
        if collection == "virtual-machines":
            body = self._random.choice([{"power": "STOPPED"}, {"power": "RUNNING"}, body])
        elif collection == "volumes":
            body = {"size_gib": self._random.randrange(20, 60)}
        self._ask("PATCH", f"/{collection}/{identifier}", body)

    def _ask(self, method: str, path: str, body: object = None, *, twice: bool = False) -> dict[str, Any] | None:
        """Ask until there is an answer that counts; the document of a success, None for a refusal."""
        key = str(uuid.UUID(int=self._random.getrandbits(128)))
        if twice:
            other = threading.Thread(target=self._send, args=(key, method, path, body))
            other.start()
        for attempt in range(1000):
            answer = self._send(key, method, path, body)
            if answer is not None and (answer.status_code not in _RETRY or self._refused(answer)):
                break
            if time.monotonic() > self._until:
                return None
            time.sleep(min(2.0, 0.1 * (attempt + 1)))
        if twice:
            other.join()
        if answer is None or answer.status_code not in _GOOD:
            return None
        document: dict[str, Any] = answer.json()
        return document

    @staticmethod
    def _refused(answer: httpx.Response) -> bool:
        """Tell a conflict with the state of things from a request of the same key that still runs."""
        return answer.status_code == 409 and "Retry-After" not in answer.headers

    def _send(self, key: str, method: str, path: str, body: object) -> httpx.Response | None:
        headers = {"Idempotency-Key": key} if "/cancel" not in path else {}
        facts = {"key": key, "method": method, "path": path, "body": body}
        try:
            answer = self._client.request(method, f"{self._project.path}{path}", json=body, headers=headers)
        except httpx.TransportError as error:
            self._history.write(what="request", **facts, error=type(error).__name__)
            return None
        job = self._note(key, answer) if headers else None
        self._history.write(what="request", **facts, status=answer.status_code, job=job)
        if answer.status_code == 500:
            self._tally.wrong.append(f"{method} {path} was answered 500: {answer.text[:200]}")
        return answer

    def _note(self, key: str, answer: httpx.Response) -> str | None:
        if answer.status_code not in _GOOD or not (job := answer.json().get("job")):
            return None
        self._tally.promise(key, job["id"])
        identifier: str = job["id"]
        return identifier
