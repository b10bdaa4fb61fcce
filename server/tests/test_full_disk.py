# SPDX-License-Identifier: Apache-2.0
"""The platform on a disk that becomes full, and has room again."""

import errno
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from stratoplane_embedded.processes import wait_until

from .conftest import SECONDS, Operator

SIZE = "200m"
MIB = 1024 * 1024


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[Operator]:
    """An operator whose state folder is on a disk of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk")
    someone = Operator(disk / "state")
    try:
        yield someone
    finally:
        someone.run("down")
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(file: Path) -> None:
    """Write until no byte fits."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    for block in (bytes(MIB), bytes(4096)):
        try:
            while os.write(descriptor, block):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017  # what this is for
    os.close(descriptor)


def health(operator: Operator) -> tuple[int, str]:
    url = f"http://{operator.variables['STRATOPLANE_API_LISTEN']}/api/common/v1/health"
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:  # our own
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def test_a_full_disk_is_told_and_everything_comes_back_when_there_is_room(cramped):
    cramped.up()
    assert health(cramped)[0] == 200
    assert cramped.status()["disk"]["free"] > 0
    supervisor = cramped.folder.read_report().process
    ballast = cramped.folder.path / "ballast"
    fill(ballast)

    status, said = health(cramped)
    assert status == 503, said
    assert json.loads(said)["code"] in {"database_exhausted", "service_unavailable"}
    assert "base/" not in said
    page = cramped.run("status")
    assert page.returncode == 1
    assert "full" in page.stdout

    killed = [cramped.child(name).process for name in ("postgres", "worker", "api")]
    for key in killed:
        key.send(signal.SIGKILL)
    assert wait_until(lambda: not any(key.alive for key in killed), SECONDS)
    assert wait_until(lambda: health(cramped)[0] != 200, SECONDS)
    assert supervisor.alive

    ballast.unlink()
    assert wait_until(lambda: health(cramped)[0] == 200, SECONDS), cramped.log("supervisor")
    cramped.await_ready()
    assert supervisor.alive
    assert cramped.folder.read_report().process == supervisor
