# SPDX-License-Identifier: Apache-2.0
"""The ``stratoplane`` command with a configuration of its own, in this process or as one of its own."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from client.tests.contract_server.server import PASSWORD
from stratoplane_client.cli.failures import run
from stratoplane_client.cli.root import root

SETTINGS = ("STRATOPLANE_URL", "STRATOPLANE_TOKEN", "STRATOPLANE_PROJECT", "STRATOPLANE_CONTEXT", "NO_COLOR")

# A process that a shell starts in the background ignores SIGINT, and so would its children: pytest may be one.
_PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from stratoplane_client.cli import main; main()"
)


class _Captured(io.TextIOWrapper):
    """A stream that takes text and bytes, as that of a process does."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def text(self) -> str:
        """Return all that was written."""
        self.seek(0)
        return self.read()


class Command:
    """The ``stratoplane`` command with a configuration of its own."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.config = folder / "config" / "config.toml"
        kept = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        self.environment = {**kept, "STRATOPLANE_CONFIG_FILE": str(self.config), "HOME": str(folder), "COLUMNS": "200"}

    def __call__(self, *words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it in this process, many times faster than starting one, with its own environment and no terminal."""
        output, errors = _Captured(), _Captured()
        with pytest.MonkeyPatch.context() as process, redirect_stdout(output), redirect_stderr(errors):
            for name in os.environ.keys() - self.environment.keys():
                process.delenv(name)
            for name, value in {**self.environment, **environment}.items():
                process.setenv(name, value)
            process.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
            try:
                code = run(root, words)
            except SystemExit as end:
                code = int(end.code or 0)
        return subprocess.CompletedProcess(words, code, output.text(), errors.text())

    @contextmanager
    def process(self, *words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """Run it as a process of its own."""
        program = [sys.executable, "-c", _PROGRAM, *words]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            program, env=self.environment | environment, stdout=pipe, stderr=pipe, text=True
        ) as process:
            yield process

    def done(self, *words: str, **options: Any) -> str:
        """Run it, insist on success and return what it printed."""
        answer = self(*words, **options)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def failed(self, code: int, *words: str, **options: Any) -> str:
        """Run it, insist on this exit code and on one line of error, and return the line."""
        answer = self(*words, **options)
        assert answer.returncode == code, (answer.returncode, answer.stderr)
        assert answer.stdout == ""
        lines = answer.stderr.strip().splitlines()
        assert len(lines) == 1, answer.stderr
        return lines[0]

    def log_in(self, username: str = "alice") -> None:
        """Log in."""
        self.done("login", self.url, "--username", username, "--password-stdin", stdin=PASSWORD + "\n")
