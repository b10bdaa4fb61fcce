# SPDX-License-Identifier: Apache-2.0
"""Programs of the system, run for the length of a test."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stratoplane_embedded.identity import choose_identity

PATIENCE = 60.0


def require(name: str, package: str) -> str:
    """Return the path of a program of the system; a test that cannot run is a failure, not a skip."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    found = shutil.which(name, path=path)
    if found is None:
        pytest.fail(f"{name} is not installed; on Debian: apt-get install {package}", pytrace=False)
    return found


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    """Return the first true answer of ``condition``; fail when there is none in time."""
    until = time.monotonic() + PATIENCE
    while not (answer := condition()):
        assert time.monotonic() < until, f"{what}: not within {PATIENCE:.0f} s"
        time.sleep(0.05)
    return answer


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def listens(port: int) -> bool:
    """Tell whether anybody listens on a port of this host."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(command: Sequence[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program while the block lasts; its output goes to ``log``."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | environment, start_new_session=True
        )
    try:
        yield process
    except BaseException:
        print(f"--- the end of {log}\n{log.read_text(encoding='utf-8', errors='replace')[-4000:]}")
        raise
    finally:
        process.terminate()
        process.wait(timeout=30)


def not_as_root(program: str, folder: Path) -> list[str]:
    """Return the words in front of a program that refuses user 0; files stay ours."""
    return list(choose_identity(Path(program), folder, folder).prefix)
