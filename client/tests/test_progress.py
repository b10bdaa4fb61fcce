# SPDX-License-Identifier: Apache-2.0
"""Progress that is written to a file or a pipe says what a job waits for, without a line for every look."""

import pytest

from stratoplane_client.cli.progress import PAUSE_SECONDS, SETTLED_SECONDS, Lines
from stratoplane_client.models.jobs import Job, JobProgress, JobStep

SILENT, TURN, TRIAL = (
    "the agent of cluster a, which is silent",
    "its turn at the agent of cluster a",
    "cluster a, \x1b[2J",
)


def job(state: str, reason: str = "", done: int = 0) -> Job:
    steps = (JobStep(name="one", state="DONE"), JobStep(name="two", state="RUNNING", waits_for=reason))
    return Job(id="1", state=state, steps=steps, progress=JobProgress(done=done, total=2, step="two"))


def shown(capsys: pytest.CaptureFixture[str], *looks: tuple[float, Job]) -> list[str]:
    times = iter([at for at, _ in looks])
    lines = Lines("vm web-1", clock=lambda: next(times))
    for _, seen in looks:
        lines(seen)
    return capsys.readouterr().err.splitlines()


def test_a_reason_that_lasts_is_written_once_and_again_when_it_changes(capsys: pytest.CaptureFixture[str]) -> None:
    later = SETTLED_SECONDS + PAUSE_SECONDS
    looks = [
        (0.0, job("RUNNING", TURN, 1)),
        *((SETTLED_SECONDS + each / 10, job("RUNNING", TURN, 1)) for each in range(50)),
        (later - 0.1, job("RUNNING", SILENT, 1)),
        (later, job("RUNNING", SILENT, 1)),
        (later + 1, job("RUNNING", SILENT, 1)),
        (later + PAUSE_SECONDS, job("RUNNING", TRIAL, 1)),
        (later + PAUSE_SECONDS + 1, job("SUCCEEDED", done=2)),
    ]
    assert shown(capsys, *looks) == [
        "vm web-1: RUNNING 1/2, two",
        f"vm web-1: RUNNING 1/2, two, waiting for {TURN}",
        f"vm web-1: RUNNING 1/2, two, waiting for {SILENT}",
        "vm web-1: RUNNING 1/2, two, waiting for cluster a, \\x1b[2J",
        "vm web-1: SUCCEEDED 2/2",
    ]


def test_reasons_that_come_and_go_are_not_written_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    looks = [(float(at), job("RUNNING", TURN if at % 2 else SILENT, 1)) for at in range(100)]
    assert len(shown(capsys, *looks)) <= 1 + 100 / PAUSE_SECONDS + 1


def test_a_wait_that_is_soon_over_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    looks = [(0.0, job("PENDING", TURN)), (1.0, job("PENDING", TURN)), (1.5, job("SUCCEEDED", done=2))]
    assert shown(capsys, *looks) == ["vm web-1: PENDING 0/2, two", "vm web-1: SUCCEEDED 2/2"]
