# SPDX-License-Identifier: Apache-2.0
"""Another distribution adds a kind of resource to the command and uses the SDK for it."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from client.tests.contract_server import Command
from stratoplane_client import Client, Resource

PROJECT = "0199d2a4-7c12-7d11-8c62-5a1e0b7d3e02"
BALANCER = "0199d2a5-0c20-7a00-8000-7d3e2d9f5a04"
JOB = "0199d2a5-0c29-7a00-8000-d39483f5b00a"
COLLECTION = f"/api/tenant/v1/projects/{PROJECT}/load-balancers"
README = Path(__file__).parents[1] / "README.md"
# The module that the README shows is the one that is tested.
MODULE = next(
    block for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL) if "KindCommand" in block
)


class Stub:
    """An HTTP server with one kind of resource; its jobs have succeeded when they are first looked at."""

    def __init__(self) -> None:
        self.balancers: dict[str, dict[str, Any]] = {}
        self.job: dict[str, str] = {}
        self.requests: list[tuple[str, str, Any]] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_any(self) -> None:
                text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, body = stub.answer(self.command, self.path, json.loads(text) if text else None)
                shown = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(shown)))
                self.end_headers()
                self.wfile.write(shown)

            do_GET = do_POST = do_PATCH = do_DELETE = do_any  # noqa: N815  # the library's names

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def accept(self, verb: str) -> dict[str, str]:
        """Return a new job."""
        self.job = {"id": JOB, "kind": f"load_balancer.{verb}", "state": "PENDING"}
        return self.job

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        """Return status and JSON."""
        path, _, query = target.partition("?")
        self.requests.append((method, target, body))
        if path.endswith(f"/jobs/{JOB}"):
            return 200, {**self.job, "state": "SUCCEEDED"}
        if not path.startswith(COLLECTION):
            return 404, {"code": "route_not_found", "detail": f"nothing is served at {path}"}
        if path == COLLECTION and method == "GET":
            return 200, {"items": list(self.balancers.values()), "next": None}
        if path == COLLECTION:
            made = {"id": BALANCER, "status": "ACTIVE", "version": 1, "project_id": PROJECT, **body}
            if query == "dry_run=true":
                return 200, {"load_balancer": made, "dry_run": True, "cluster": None, "quota": {}, "steps": []}
            self.balancers[BALANCER] = made
            return 202, {"load_balancer": made, "job": self.accept("create")}
        found = self.balancers[path.split("/")[7]]
        if method == "DELETE":
            del self.balancers[BALANCER]
            return 202, {"load_balancer": found, "job": self.accept("delete")}
        if method == "PATCH":
            found.update(body, version=found["version"] + 1)
            return 200, {"load_balancer": found, "job": None}
        return (200, found) if method == "GET" else (200, {"load_balancer": found, "job": None})


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A platform that a plugin has given load balancers."""
    found = Stub()
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return what installs a distribution with one module and one entry point."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def write(module: str, text: str, *, noun: str = "load-balancer") -> None:
        (folder / f"{module}.py").write_text(text)
        metadata = folder / f"{module}-1.2.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.2\n")
        (metadata / "entry_points.txt").write_text(f"[stratoplane.client_kinds]\n{noun} = {module}:command\n")
        monkeypatch.delitem(sys.modules, module, raising=False)
        # The search path has changed; without this a test would see what an earlier one had installed there.
        from stratoplane_client.cli import plugins

        plugins._entry_points.cache_clear()

    return write


@pytest.fixture
def cli(stub: Stub, tmp_path: Path) -> Command:
    """The command, as a program uses it that has a token."""
    command = Command(stub.url, tmp_path)
    command.environment |= {
        "STRATOPLANE_URL": stub.url,
        "STRATOPLANE_TOKEN": "t0ken",
        "STRATOPLANE_PROJECT": PROJECT,
    }
    return command


def test_a_kind_of_a_plugin_has_every_verb(install: Install, cli: Command, stub: Stub) -> None:
    install("balancers", MODULE)

    made = cli.done("load-balancer", "create", "lb-1", "--port", "443", "--wait")
    assert made.startswith("load-balancer lb-1 created: ACTIVE, port 443 (")
    assert stub.requests[0] == (
        "POST",
        COLLECTION,
        {"name": "lb-1", "port": 443},
    )
    listed = cli.done("load-balancer", "list").splitlines()
    assert [line.split()[:3] for line in listed] == [["NAME", "STATUS", "PORT"], ["lb-1", "ACTIVE", "443"]]
    assert json.loads(cli.done("load-balancer", "show", "lb-1", "-o", "json"))["port"] == 443
    assert "Port     443" in cli.done("load-balancer", "show", "lb-1")
    assert cli.done("load-balancer", "update", "lb-1", "--label", "env=test") == (
        "load-balancer lb-1 changed: ACTIVE, port 443\n"
    )
    assert cli.done("load-balancer", "update", "lb-1", "--port", "444") == (
        "load-balancer lb-1 changed: ACTIVE, port 444\n"
    )
    assert stub.requests[-1] == ("PATCH", f"{COLLECTION}/{BALANCER}", {"port": 444})
    assert "--name, --label, --remove-label and --port" in cli.failed(2, "load-balancer", "update", "lb-1")
    assert cli.done("load-balancer", "delete", "lb-1", "--wait").startswith("load-balancer lb-1 deleted (")
    assert cli("load-balancer", "list").stderr == "There are no load balancers in this project.\n"


def test_a_kind_of_a_plugin_is_in_the_help(install: Install, cli: Command) -> None:
    install("balancers", MODULE)

    assert "Added by plugins:\n  load-balancer   Load balancers." in cli.done("--help")
    assert "create" in cli.done("load-balancer", "--help")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("raise RuntimeError('out of\\norder')", "RuntimeError: out of order"),
        ("other = 1", "AttributeError: module 'broken' has no attribute 'command'"),
        ("command = 1", "broken:command is not a KindCommand"),
        (MODULE, "its kind is called 'load-balancer'"),
    ],
)
def test_a_broken_entry_point_is_named_and_the_rest_works(
    install: Install, cli: Command, text: str, reason: str
) -> None:
    install("broken", text, noun="balancer")
    beginning = "cannot load the command 'balancer' of broken 1.2: "

    answer = cli("--help")
    assert (answer.returncode, answer.stderr) == (0, f"Warning: {beginning}{reason}.\n")
    assert "Private networks." in answer.stdout
    assert cli.failed(2, "balancer", "list").startswith(f"Error: {beginning}{reason}.")
    assert cli("network", "--help").stderr == ""


def test_a_plugin_cannot_replace_a_command_of_this_package(install: Install, cli: Command) -> None:
    install("impostor", "raise RuntimeError", noun="network")

    assert "Private networks." in cli.done("network", "--help")
    assert cli("--help").stderr == "Warning: the command 'network' of a plugin is hidden by the built-in one.\n"


def test_a_plugin_is_not_loaded_for_other_commands(install: Install, cli: Command) -> None:
    install("balancers", MODULE)

    cli.done("network", "--help")
    assert "balancers" not in sys.modules


def test_the_sdk_calls_a_kind_that_it_does_not_know(stub: Stub) -> None:
    with Client(stub.url, token="t0ken") as client:
        balancers = client.resources(PROJECT, "load-balancers", Resource, member="load_balancer")
        plan = balancers.plan.create(name="lb-1", port=80)
        assert (plan.resource.name, list(balancers.list())) == ("lb-1", [])
        made = balancers.create(name="lb-1", port=80, note=None).wait()
        assert stub.balancers[BALANCER]["port"] == 80
        assert "note" not in stub.balancers[BALANCER]
        assert made.raw["port"] == 80
        assert balancers.find("lb-1") == balancers.get(made.id) == made
        changed = balancers.update(made.id, port=81, labels={"env": "prod"}, if_match=made.etag).resource
        assert (changed.raw["port"], changed.labels) == (81, {"env": "prod"})
        assert balancers.act(made.id, "failovers").job is None
        assert stub.requests[-1][:2] == ("POST", f"{COLLECTION}/{BALANCER}/failovers")
        balancers.delete(made.id).wait()
        assert stub.balancers == {}


def test_without_a_plugin_the_help_does_not_load_the_metadata_of_distributions() -> None:
    program = (
        "import sys\nbefore = set(sys.modules)\nfrom stratoplane_client.cli.plugins import command_names\n"
        "assert not command_names()\nprint(*sorted(set(sys.modules) - before))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "importlib.metadata" not in answer.stdout
