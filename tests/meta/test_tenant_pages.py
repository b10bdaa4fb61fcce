# SPDX-License-Identifier: Apache-2.0
"""The pages for tenants run: their programs and commands are executed against the client's contract server.

What a page shows is compared with what is printed. A block of text after a program is its output; a block of commands
has the output of each below it, or nothing where the output does not matter. Ages, durations and ids differ from run
to run and are compared by their form. A shown question for the password is answered as a script would do it.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from client.tests.contract_server import PASSWORD, Command, Contract

SERVERS = ("https://cloud.example", "https://lab.example")
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfMMYtQKbzYbqPTxMm1wwUJC2FnzcdIIRq0Gk0c7nL alice@laptop\n"
# A file at the end of a line that is read or written, which is quicker done here than in a shell of its own.
FILE = re.compile(r"(.*?)(?: ([<>]) ([\w.]+))?")
# What only a shell understands.
SHELL = re.compile(r"[|<>$&]|^\w+=|^(?!stratoplane )")
VARYING = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"\(\d+\.\d s\)"), "(SECONDS)"),
    (re.compile(r"\b\d+[smhd]$", re.MULTILINE), "AGE"),
    (re.compile(r"\b(does not expire|expires [\d-]+ [\d:]+)"), "EXPIRY"),
    (re.compile(r"[ \t]+"), " "),
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block of code of a page."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(language=each[1], text=each[2], line=text.count("\n", 0, each.start(2))) for each in found]


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with the output that is shown for it."""
    for part in re.split(r"^\$ ", block.text.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        yield line, output


class Platforms:
    """The platforms that the pages name, each a contract server of its own."""

    def __init__(self) -> None:
        self.servers = {url: Contract() for url in SERVERS}
        for server in self.servers.values():
            for username in ("alice", "bob"):
                server.add_user(username, PASSWORD)
            server.add_user("olga", PASSWORD, operator=True)
            server.add_project("web")
            server.offer()

    def real(self, text: str) -> str:
        """Return the text with the addresses of the running servers."""
        for url, server in self.servers.items():
            text = text.replace(url, server.url).replace(
                url.removeprefix("https://"), server.url.removeprefix("http://")
            )
        return text

    def shown(self, text: str) -> str:
        """Return the text as a page shows it, without what differs from run to run."""
        for url, server in self.servers.items():
            text = text.replace(server.url, url).replace(
                server.url.removeprefix("http://"), url.removeprefix("https://")
            )
        for pattern, replacement in VARYING:
            text = pattern.sub(replacement, text)
        return "\n".join(line.strip() for line in text.strip().splitlines())

    @property
    def differences(self) -> list[str]:
        return [each for server in self.servers.values() for each in server.differences]


@pytest.fixture
def platforms() -> Iterator[Platforms]:
    found = Platforms()
    yield found
    for server in found.servers.values():
        server.stop()
    assert found.differences == []


class Terminal:
    """Runs the commands of a page: those of ours in this process, lines that need a shell in one."""

    def __init__(self, platforms: Platforms, folder: Path) -> None:
        self.platforms = platforms
        self.folder = folder
        self.command = Command(platforms.servers[SERVERS[0]].url, folder)
        self.command.environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        (folder / ".ssh").mkdir()
        (folder / ".ssh" / "id_ed25519.pub").write_text(PUBLIC_KEY)
        (folder / "password.txt").write_text(PASSWORD + "\n")

    def run(self, line: str, *, answer_password: bool) -> tuple[int, str]:
        """Return the exit code and all that was printed but progress."""
        line = self.platforms.real(line)
        match = FILE.fullmatch(line)
        assert match is not None
        plain, sign, name = match.groups()
        if SHELL.search(plain):
            done = self._in_shell(line)
        else:
            _, *words = shlex.split(plain)
            more = ["--password-stdin"] if answer_password else []
            stdin = (self.folder / name).read_text() if sign == "<" else PASSWORD + "\n"
            done = self.command(*words, *more, stdin=stdin)
            if sign == ">":
                (self.folder / name).write_text(done.stdout)
                done.stdout = ""
        progress = re.compile(r"^.*: (PENDING|RUNNING|SUCCEEDED) \d+/\d+.*\n", re.MULTILINE)
        return done.returncode, progress.sub("", done.stderr) + done.stdout

    def _in_shell(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.command.environment,
            capture_output=True,
            text=True,
            check=False,
        )


def wrong_outputs(page: Path, platforms: Platforms, folder: Path) -> list[str]:
    """Run every command of a page; return those that fail or print something else than is shown."""
    terminal = Terminal(platforms, folder)
    wrong = []
    for block in blocks(page):
        for line, output in commands(block) if block.language == "console" else ():
            asked = output.startswith("Password:\n")
            code, printed = terminal.run(line, answer_password=asked)
            wanted = platforms.shown(output.removeprefix("Password:\n"))
            got = platforms.shown(printed)
            failed = (code != 0) != wanted.startswith("Error:")
            if failed or (wanted and wanted != got):
                wrong.append(
                    f"{page.name}:{block.line}: {line}: exit code {code}\n  shown:   {wanted}\n  printed: {got}"
                )
    return wrong


def wrong_programs(page: Path, platforms: Platforms) -> list[str]:
    """Run every program of a page, all in one namespace; return those that print something else than is shown."""
    namespace: dict[str, object] = {"__name__": page.stem}
    found = blocks(page)
    wrong = []
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block.language != "python":
            continue
        printed = io.StringIO()
        # Empty lines before it, so that a traceback names the line of the page.
        program = compile("\n" * block.line + platforms.real(block.text), str(page), "exec")
        with redirect_stdout(printed):
            exec(program, namespace)  # noqa: S102  # our own page
        wanted = following.text if following is not None and following.language == "text" else ""
        if platforms.shown(wanted) != platforms.shown(printed.getvalue()):
            wrong.append(f"{page.name}:{block.line}\n  shown:   {wanted}\n  printed: {printed.getvalue()}")
    return wrong


def test_the_commands_of_the_command_line_page_print_what_it_shows(
    root: Path, platforms: Platforms, tmp_path: Path
) -> None:
    page = root / "docs/tenant/cli.md"

    assert wrong_outputs(page, platforms, tmp_path) == []
    assert sum(block.language == "console" for block in blocks(page)) >= 8


def test_the_file_and_the_commands_of_the_page_about_declarations_work(
    root: Path, platforms: Platforms, tmp_path: Path
) -> None:
    page = root / "docs/tenant/apply.md"
    (shown,) = (block for block in blocks(page) if block.language == "yaml")
    (tmp_path / "shop.yaml").write_text(shown.text)

    with contextlib.chdir(tmp_path):
        assert wrong_outputs(page, platforms, tmp_path) == []
    assert sum(block.language == "console" for block in blocks(page)) >= 4


def test_the_programs_of_the_sdk_page_print_what_it_shows(root: Path, platforms: Platforms) -> None:
    page = root / "docs/tenant/sdk.md"

    assert wrong_programs(page, platforms) == []
    assert sum(block.language == "python" for block in blocks(page)) >= 6


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("$ stratoplane login https://cloud.example -u alice\nPassword:\nWelcome!\n", "Welcome!"),
        ("$ stratoplane vm list\n", "exit code 3"),
        ("$ stratoplane version\nError: no.\n", "exit code 0"),
        ("$ stratoplane version | grep nothing\n", "exit code 1"),
    ],
)
def test_a_page_that_shows_something_else_is_found(
    platforms: Platforms, tmp_path: Path, text: str, reason: str
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"```console\n{text}```\n")

    (wrong,) = wrong_outputs(page, platforms, tmp_path)
    assert reason in wrong


def test_a_program_that_prints_something_else_is_found(platforms: Platforms, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1)\n```\n\n```text\n2\n```\n")

    assert len(wrong_programs(page, platforms)) == 1
