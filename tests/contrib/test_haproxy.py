# SPDX-License-Identifier: Apache-2.0
"""HAProxy accepts the example, finds both APIs healthy, and lets an agent enrol and wait through it."""

import csv
import json
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.contrib.installation import BIN, COMMON, OPERATIONS, Platform, log_in, platform
from tests.contrib.programs import free_port, listens, require, running, wait_until

_PROXIED = "203.0.113.7"


def certificate(folder: Path, name: str) -> Path:
    """Write a certificate of its own authority for this host, with its key, and return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / name
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


@dataclass(kw_only=True)
class Proxied:
    """A platform and HAProxy in front of it, as the example has it."""

    behind: Platform
    statistics: Path
    public: str
    agents: str
    authority: Path

    def servers(self) -> dict[tuple[str, str], str]:
        """Return the state of each server by backend and name."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.statistics))
            connection.sendall(b"show stat\n")
            text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        rows = csv.DictReader(text.removeprefix("# ").splitlines())
        return {(row["pxname"], row["svname"]): row["status"] for row in rows if row["svname"].startswith("app-")}

    def client(self) -> httpx.Client:
        """Return the administrator's client, through HAProxy."""
        who = self.behind.credentials
        trusted = ssl.create_default_context(cafile=str(self.authority))
        return log_in(self.public, who["username"], who["password"], verify=trusted)


def adapted(text: str, folder: Path, behind: Platform, public: int, agents: int) -> str:
    """Return the example with this host's ports, certificates and a socket for statistics; nothing else changes."""
    for before, after in {
        "bind :443 ": f"bind 127.0.0.1:{public} ",
        "bind :8701 ": f"bind 127.0.0.1:{agents} ",
        "/etc/haproxy/certs": str(folder),
        "maxconn 30000": "maxconn 500",  # as many as the files that a test may open
        "10.0.0.11:8700": f"127.0.0.1:{behind.api_port}",
        "10.0.0.11:8701": f"127.0.0.1:{behind.agent_port}",
        "10.0.0.12:8700": f"127.0.0.1:{free_port()}",  # nobody listens there: this host is down
        "10.0.0.12:8701": f"127.0.0.1:{free_port()}",
        "\nglobal\n": f"\nglobal\n    stats socket {folder}/stats\n",
    }.items():
        assert text.count(before) >= 1, before
        text = text.replace(before, after)
    return text


@pytest.fixture(scope="module")
def proxied(contrib: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    program = require("haproxy", "haproxy")
    folder = tmp_path_factory.mktemp("haproxy")
    shown = certificate(folder, "agents.pem")
    (folder / "api.pem").write_bytes(shown.read_bytes())
    public, agents = free_port(), free_port()
    settings = {"STRATOPLANE_API_TRUSTED_PROXIES": "1", "STRATOPLANE_AGENT_CERTIFICATE": str(shown)}
    with platform("--no-agent", **settings, STRATOPLANE_LOG_LEVEL="DEBUG") as behind:
        text = adapted((contrib / "haproxy/haproxy.cfg").read_text(encoding="utf-8"), folder, behind, public, agents)
        (folder / "haproxy.cfg").write_text(text, encoding="utf-8")
        with running([program, "-f", str(folder / "haproxy.cfg")], folder / "log"):
            wait_until(lambda: listens(public) and listens(agents), "HAProxy listens")
            yield Proxied(
                behind=behind,
                statistics=folder / "stats",
                public=f"https://127.0.0.1:{public}",
                agents=f"https://127.0.0.1:{agents}",
                authority=shown,
            )


def check(program: str, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, "-c", "-f", str(path)], capture_output=True, text=True, check=False)


def test_haproxy_has_nothing_to_say_of_the_example(contrib: Path, tmp_path: Path) -> None:
    program = require("haproxy", "haproxy")
    for name in ("api.pem", "agents.pem"):
        certificate(tmp_path, name)
    text = (contrib / "haproxy/haproxy.cfg").read_text(encoding="utf-8").replace("/etc/haproxy/certs", str(tmp_path))
    (tmp_path / "haproxy.cfg").write_text(text, encoding="utf-8")
    (tmp_path / "broken.cfg").write_text(text.replace("balance source", "balance fairly"), encoding="utf-8")

    answer = check(program, tmp_path / "haproxy.cfg")

    assert answer.returncode == 0, answer.stderr
    assert [line for line in answer.stderr.splitlines() if "WARNING" in line or "ALERT" in line] == []
    assert check(program, tmp_path / "broken.cfg").returncode == 1


def test_timeouts_are_longer_than_anything_is_held(contrib: Path, root: Path) -> None:
    from stratoplane_api.schemas.queries import LONGEST_WAIT
    from stratoplane_engine.services.agents import POLL_SECONDS

    text = (contrib / "haproxy/haproxy.cfg").read_text(encoding="utf-8")
    public, agents = text.split("# --- agents")
    held = {public: LONGEST_WAIT, agents: POLL_SECONDS}
    for part, seconds in held.items():
        found = [int(each) for each in re.findall(r"^    timeout (?:client|server) (\d+)s$", part, re.MULTILINE)]
        assert len(found) == 2
        assert min(found) >= seconds + 10


def test_health_checks_tell_what_lives_from_what_does_not(proxied: Proxied) -> None:
    expected = {
        (backend, server): state
        for backend in ("api", "agent-api")
        for server, state in (("app-1", "UP"), ("app-2", "DOWN"))
    }

    wait_until(lambda: proxied.servers() == expected, f"the servers are {expected}")


def test_the_api_answers_through_the_proxy_and_believes_nobody_elses_address(proxied: Proxied) -> None:
    with closing(proxied.client()) as client:
        for _ in range(4):
            answer = client.get(f"{COMMON}/me", headers={"X-Forwarded-For": _PROXIED})
            assert answer.status_code == 200
            assert answer.headers["Strict-Transport-Security"]

    logs = "".join(path.read_text(encoding="utf-8") for path in proxied.behind.state.glob("logs/*.log"))
    assert _PROXIED not in logs


def test_an_agent_enrols_and_waits_for_work_through_the_proxy(proxied: Proxied, tmp_path: Path) -> None:
    with closing(proxied.client()) as client:
        cluster = client.post(f"{OPERATIONS}/clusters", json={"name": "rack-1"}).json()
        token = client.post(f"{OPERATIONS}/clusters/{cluster['id']}/join-tokens", json={}).json()["token"]
        environment = {
            "STRATOPLANE_AGENT_CONTROL_PLANE": proxied.agents,
            "STRATOPLANE_AGENT_STATE": str(tmp_path / "agent"),
            "STRATOPLANE_AGENT_CA_FILE": str(proxied.authority),
            "STRATOPLANE_AGENT_DRIVER": "mock",
            "STRATOPLANE_AGENT_JOIN_TOKEN": token,
        }
        with running([str(BIN / "stratoplane-agent"), "run"], tmp_path / "log", **environment):
            wait_until(lambda: is_connected(tmp_path / "agent"), "the agent is connected")
            wait_until(
                lambda: "compute" in client.get(f"{OPERATIONS}/clusters/{cluster['id']}").json()["features"],
                "the cluster offers compute",
            )
            assert "error" not in (tmp_path / "log").read_text(encoding="utf-8").lower()


def is_connected(state: Path) -> bool:
    try:
        return json.loads((state / "status.json").read_text(encoding="utf-8"))["connection"] == "connected"
    except (OSError, ValueError):
        return False
