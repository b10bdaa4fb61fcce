# SPDX-License-Identifier: Apache-2.0
"""The supervisor with small programs as its children, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path

import pytest

from stratoplane_embedded.processes import wait_until
from stratoplane_server.process_table import key_of
from stratoplane_server.state import ChildState, StateError, StateFolder, SupervisorReport

SECONDS = 20
PROGRAM = """
import logging, os, signal, sys
from pathlib import Path
from stratoplane_embedded import processes
from stratoplane_server.children import ChildSpec
from stratoplane_server.state import StateFolder, SupervisorReport
from stratoplane_server.supervisor import Supervisor

logging.basicConfig(format="%(message)s", level=logging.INFO)
state = Path(sys.argv[1])
folder = StateFolder(path=state)

def shell(name, script, **more):
    def start(log):
        return processes.spawn(["/bin/sh", "-c", script, name], log=log, death_signal=signal.SIGTERM, folder=state)
    return ChildSpec(name=name, start=start, **{"is_ready": lambda process, seconds: True, **more})

def describe(process):
    return SupervisorReport(process=process, api_url="a", agent_url="b", database_url="c", redis_url="d")

def run(*specs, on_reload=tuple):
    lock = folder.take()
    Supervisor(folder, specs, describe, on_reload).run()
    os.close(lock)
"""


class Running:
    """A supervisor in a process of its own, and what it wrote."""

    def __init__(self, folder: StateFolder, body: str) -> None:
        self.folder = folder
        program = PROGRAM + textwrap.dedent(body)
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, str(folder.path)], stderr=subprocess.PIPE, text=True
        )

    def report(self) -> SupervisorReport | None:
        return self.folder.read_report()

    def child(self, name: str):
        report = self.report()
        return next((child for child in report.children if child.name == name), None) if report else None

    def pid(self, name: str) -> int:
        assert wait_until(lambda: self.child(name) and self.child(name).process, SECONDS), f"{name} has no process"
        return self.child(name).process.pid

    def wait_ready(self) -> None:
        assert wait_until(lambda: (report := self.report()) is not None and report.ready, SECONDS), self.report()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> str:
        self.process.send_signal(number)
        return self.process.communicate(timeout=SECONDS)[1]


@pytest.fixture
def supervised(tmp_path):
    started = []

    def start(body: str) -> Running:
        started.append(Running(StateFolder(path=tmp_path / "state"), body))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()
        assert each.process.stderr is not None
        each.process.stderr.close()


TWO = """
run(shell("first", "exec sleep 1000"), shell("second", "exec sleep 1000", after=("first",)))
"""


def test_children_start_in_order_and_stop_in_reverse(supervised):
    running = supervised("""
        run(
            shell("database", "echo database >> order; trap 'echo stop database >> order; exit' TERM; "
                  "while true; do sleep 0.05; done", is_ready=lambda process, seconds: seconds > 0.2, holds_state=True),
            shell("prepare", "echo prepare >> order", once=True, after=("database",)),
            shell("api", "echo api >> order; trap 'echo stop api >> order; exit' TERM; while true; do sleep 0.05; done",
                  after=("prepare",)),
        )
    """)
    running.wait_ready()
    order = running.folder.path / "order"
    assert wait_until(lambda: order.read_text().split() == ["database", "prepare", "api"], SECONDS)
    assert running.child("prepare").state is ChildState.DONE
    running.stop()
    assert order.read_text().splitlines()[3:] == ["stop api", "stop database"]
    assert running.report() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_stops_and_leaves_nothing(supervised, number):
    # A run in the background, or under nohup, has given on that the signal is ignored.
    running = supervised(f"signal.signal({int(number)}, signal.SIG_DFL)" + TWO)
    running.wait_ready()
    keys = [key_of(running.pid(name)) for name in ("first", "second")]
    running.stop(number)
    assert running.process.returncode == 0
    assert not any(key.alive for key in keys)


def test_what_was_ignored_before_stays_ignored_as_nohup_wants(supervised):
    running = supervised("signal.signal(signal.SIGHUP, signal.SIG_IGN)" + TWO)
    running.wait_ready()
    running.process.send_signal(signal.SIGHUP)
    os.kill(running.pid("second"), signal.SIGKILL)
    assert wait_until(lambda: running.child("second").restarts == 1 and running.report().ready, SECONDS)
    assert running.process.poll() is None


def test_a_child_that_dies_comes_back_and_the_others_stay(supervised):
    running = supervised(TWO)
    running.wait_ready()
    first, second = running.pid("first"), running.pid("second")
    os.kill(second, signal.SIGKILL)
    assert wait_until(lambda: running.child("second").restarts == 1 and running.report().ready, SECONDS)
    assert running.pid("second") != second
    assert running.pid("first") == first


def test_a_child_that_keeps_dying_is_restarted_with_growing_delays(supervised):
    running = supervised("""run(shell("broken", "echo no luck; exit 3", is_ready=lambda process, seconds: False))""")
    assert wait_until(lambda: (child := running.child("broken")) and child.restarts >= 3, SECONDS)
    assert running.child("broken").problem == "ended with code 3: no luck"
    said = running.stop()
    assert "broken ended with code 3: no luck; restarting it in 0.2 s" in said
    assert "restarting it in 0.4 s" in said
    assert "restarting it in 0.8 s" in said


def test_a_program_that_cannot_be_executed_is_reported_and_retried(supervised):
    running = supervised("""
        def start(log):
            return processes.spawn(["/nonexistent/program"], log=log, death_signal=signal.SIGTERM)
        run(ChildSpec(name="absent", start=start, is_ready=lambda process, seconds: True))
    """)
    assert wait_until(lambda: (child := running.child("absent")) and child.restarts >= 2, SECONDS)
    assert "/nonexistent/program" in running.child("absent").problem


def test_preparation_is_repeated_until_it_succeeds_and_its_output_is_shown(supervised):
    running = supervised("""
        run(
            shell("prepare", "echo waiting for something; test -e go", once=True),
            shell("api", "exec sleep 1000", after=("prepare",)),
        )
    """)
    assert wait_until(lambda: (child := running.child("prepare")) and child.restarts >= 1, SECONDS)
    assert running.child("prepare").problem.endswith("waiting for something")
    assert running.child("api").state is ChildState.PENDING
    (running.folder.path / "go").touch()
    running.wait_ready()
    assert "prepare: waiting for something" in running.stop()


def test_a_child_that_does_not_stop_is_killed_with_its_own_children(supervised):
    running = supervised("""
        run(shell("stubborn", "trap '' TERM; sleep 1000 & echo $! > grandchild; while true; do wait; done",
                  stop_seconds=0.3))
    """)
    running.wait_ready()
    file = running.folder.path / "grandchild"
    assert wait_until(lambda: file.exists() and file.read_text().strip(), SECONDS)
    keys = [key_of(running.pid("stubborn")), key_of(int(file.read_text()))]
    assert "does not stop" not in running.stop()
    assert wait_until(lambda: not any(key.alive for key in keys), SECONDS)


def test_children_die_with_a_supervisor_that_is_killed(supervised):
    running = supervised(TWO)
    running.wait_ready()
    keys = [key_of(running.pid(name)) for name in ("first", "second")]
    running.process.kill()
    assert wait_until(lambda: not any(key.alive for key in keys), SECONDS)


def test_what_a_killed_supervisor_left_is_ended_by_the_next_and_nothing_else(supervised, tmp_path):
    left = subprocess.Popen(["sleep", "1000"])
    other = subprocess.Popen(["sleep", "1000"])
    script = ["/bin/sh", "-c", "trap '' TERM; echo; sleep 1000"]
    stubborn = subprocess.Popen(script, stdout=subprocess.PIPE, start_new_session=True)
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    folder = StateFolder(path=tmp_path / "state")
    folder.make()
    dead = {"pid": 2**22 - 1, "started": 1}
    known = {"state": "running", "stop_signal": signal.SIGTERM, "stop_seconds": 0.5}
    children = [
        {**known, "name": "left", "process": asdict(key_of(left.pid))},
        {**known, "name": "stubborn", "process": asdict(key_of(stubborn.pid))},
        {**known, "name": "other", "process": {"pid": other.pid, "started": 5}},
    ]
    report = {"process": dead, "api_url": "", "agent_url": "", "database_url": "", "redis_url": ""}
    folder.report.write_text(json.dumps({**report, "ready": True, "children": children}))
    try:
        running = supervised(TWO)
        running.wait_ready()
        assert left.wait(SECONDS) == -signal.SIGTERM
        assert stubborn.wait(SECONDS) == -signal.SIGKILL
        assert stubborn.stdout.read() == b""  # its own child, which had the pipe too, is gone
        assert other.poll() is None
        assert f"left (process {left.pid}) was left by a killed supervisor" in running.stop()
    finally:
        stubborn.stdout.close()
        for each in (left, other, stubborn):
            each.kill()
            each.wait()


def test_one_supervisor_for_a_state_folder(supervised):
    running = supervised(TWO)
    running.wait_ready()
    second = supervised(TWO)
    assert second.process.wait(SECONDS) == 1
    said = second.process.communicate()[1]
    assert f"is already running (process {running.process.pid})" in said
    assert running.report().ready


def test_a_reload_starts_the_named_children_again(supervised):
    running = supervised("""
        run(shell("first", "exec sleep 1000"), shell("second", "exec sleep 1000"), on_reload=lambda: ["second"])
    """)
    running.wait_ready()
    first, second = running.pid("first"), running.pid("second")
    running.process.send_signal(signal.SIGUSR1)
    assert wait_until(lambda: running.pid("second") != second and running.report().ready, SECONDS)
    assert running.pid("first") == first
    assert running.child("second").restarts == 0


def test_the_report_is_private(supervised):
    running = supervised(TWO)
    running.wait_ready()
    assert running.folder.report.stat().st_mode & 0o077 == 0
    assert running.folder.path.stat().st_mode & 0o077 == 0


def test_a_report_that_cannot_be_written_is_said_once_and_written_later(supervised):
    running = supervised("""
        run(shell("first", "exec sleep 1000"), shell("second", "echo began >> runs; exec sleep 1000"))
    """)
    running.wait_ready()
    runs, obstacle = running.folder.path / "runs", running.folder.report.with_suffix(".unfinished")
    obstacle.mkdir()
    os.kill(running.pid("second"), signal.SIGKILL)
    assert wait_until(lambda: len(runs.read_text().split()) == 2, SECONDS)
    obstacle.rmdir()
    assert wait_until(lambda: running.child("second").restarts == 1 and running.report().ready, SECONDS)
    assert running.stop().count("the supervisor's report: IsADirectoryError") == 1


def test_the_supervisor_survives_an_error_that_nobody_thought_of(supervised):
    running = supervised("""
        def broken(log):
            raise LookupError("nobody thought of this")
        odd = ChildSpec(name="odd", start=broken, is_ready=lambda process, seconds: True)
        run(shell("first", "exec sleep 1000"), odd)
    """)
    assert wait_until(lambda: (child := running.child("first")) and child.state is ChildState.RUNNING, SECONDS)
    first = key_of(running.pid("first"))
    first.send(signal.SIGKILL)
    assert wait_until(lambda: running.child("first").restarts == 1 and running.pid("first") != first.pid, SECONDS)
    assert running.stop().count("odd: LookupError: nobody thought of this") == 1


def test_a_large_log_is_put_aside_while_the_child_writes(supervised):
    running = supervised("""
        script = "head -c 11000000 /dev/zero; echo enough; touch wrote; until test -e go; do sleep 0.05; done; "
        run(shell("first", script + "echo more; exec sleep 1000"))
    """)
    running.wait_ready()
    assert wait_until((running.folder.path / "wrote").exists, SECONDS)
    running.process.send_signal(signal.SIGCHLD)  # looks again, as it does once a minute
    log = running.folder.logs / "first.log"
    assert wait_until(lambda: log.stat().st_size == 0, SECONDS)
    (running.folder.path / "go").touch()
    assert wait_until(lambda: log.read_text() == "more\n", SECONDS)
    assert log.with_suffix(".log.1").read_bytes().endswith(b"\0enough\n")


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=r"the state folder .*file/state cannot be used"):
        StateFolder(path=Path(tmp_path, "file", "state")).take()
