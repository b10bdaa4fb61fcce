# SPDX-License-Identifier: Apache-2.0
"""A real agent process for tests, with the lab's drivers installed in a folder that only it sees."""

import os
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

LAB = Path(__file__).parent
# Seconds that a test waits for a process: only a fault, never a busy machine, makes it wait so long.
PATIENCE = 120.0
ENTRY_POINTS = """
[stratoplane.compute]
lab = lab_driver:LabCompute
memory = lab_driver:MemoryCompute
unfinished = lab_driver:Unfinished
absent = lab_no_such_module:Driver
[stratoplane.network]
lab = lab_driver:LabNetwork
[stratoplane.storage]
lab = lab_driver:LabStorage
"""


def install(folder: Path) -> Path:
    """Make a folder that names the lab's drivers as an installed distribution does; return it."""
    metadata = folder / "stratoplane_lab-1.2.3.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: stratoplane-lab\nVersion: 1.2.3\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


class LabAgent:
    """One state folder and the processes that work with it, one after the other."""

    def __init__(self, folder: Path, control_plane: str, token: str) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.log = folder / "log"
        site = install(folder / "site")
        self.variables = {
            **{key: value for key, value in os.environ.items() if not key.startswith("STRATOPLANE_")},
            "PYTHONPATH": os.pathsep.join([str(site), str(LAB)]),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "STRATOPLANE_AGENT_STATE": str(self.state),
            "STRATOPLANE_AGENT_CONTROL_PLANE": control_plane,
            "STRATOPLANE_AGENT_NAME": "lab-agent",
            "STRATOPLANE_AGENT_JOIN_TOKEN": token,
            "STRATOPLANE_AGENT_DRIVER": "lab",
            "STRATOPLANE_AGENT_LOG_FORMAT": "json",
            "STRATOPLANE_AGENT_LOG_LEVEL": "debug",
            "STRATOPLANE_AGENT_PREPARE_SECONDS": "3",
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that was started last."""
        assert self._process is not None, "the agent was not started"
        return self._process

    @property
    def driver_folder(self) -> Path:
        path = self.state / "drivers" / "lab"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def calls(self, text: str = "") -> list[str]:
        """Return the lines that drivers wrote about their calls, those with ``text`` in them."""
        path = self.driver_folder / "calls"
        return [line for line in path.read_text().splitlines() if text in line] if path.exists() else []

    def machines(self, uid: UUID | str = "*") -> list[Path]:
        """Return the files of a machine, or of all: more than one of a machine is one too many."""
        return sorted(self.driver_folder.glob(f"machine.{uid}.*.json"))

    def allow(self, name: str) -> None:
        """Make a file that the drivers look for."""
        (self.driver_folder / name).touch()

    def forbid(self, name: str) -> None:
        """Remove such a file, if it is there."""
        (self.driver_folder / name).unlink(missing_ok=True)

    def start(self, **variables: str) -> "LabAgent":
        self.state.mkdir(mode=0o700, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stratoplane_agent", "run"], env={**self.variables, **variables}, stderr=log
            )
        return self

    def command(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run another command of the agent with the same settings."""
        return subprocess.run(
            [sys.executable, "-m", "stratoplane_agent", *arguments],
            env={**self.variables, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def wait_for_line(self, *texts: str) -> str:
        """Wait for a log line with all of ``texts`` in it and return the line."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            lines = self.log.read_text().splitlines()
            if found := [line for line in lines if all(text in line for text in texts)]:
                return found[-1]
            time.sleep(0.02)
        raise AssertionError(f"no line with {texts!r} within {PATIENCE} s in:\n{self.log.read_text()}")

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def terminate(self) -> int:
        """Ask the process to stop and return its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
