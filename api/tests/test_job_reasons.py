# SPDX-License-Identifier: Apache-2.0
"""What a job waits for is shown with the step that it is at."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from stratoplane.jobs import StepState
from stratoplane_api.presentation.jobs import job
from stratoplane_engine.model.job import Job, JobStep

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "disabled", "reasons"),
    [
        (StepState.PENDING, "rack-1", ["", "cluster rack-1, which is disabled; an operator must enable it"]),
        (StepState.RUNNING, "rack-1", ["", "cluster rack-1, which is disabled; an operator must enable it"]),
        (StepState.RUNNING, None, ["", "network front is being made"]),
        (StepState.PENDING, None, ["", "its turn among the jobs of all organizations"]),
    ],
)
def test_the_step_that_is_next_says_what_it_waits_for(
    state: StepState, disabled: str | None, reasons: list[str]
) -> None:
    steps = (
        JobStep(position=0, name="first", state=StepState.DONE),
        JobStep(position=1, name="second", state=state, output={"reason": "network front is being made"}),
    )
    value = Job(
        id=UUID(int=1),
        organization_id=UUID(int=2),
        project_id=UUID(int=3),
        resource_id=UUID(int=4),
        resource_kind="x",
        resource_name="it",
        kind="x.update",
        created_at=NOW,
        deadline_at=NOW,
        actor="user:alice",
        steps=steps,
        disabled_cluster=disabled,
    )
    shown = job(value)["steps"]
    assert isinstance(shown, list)
    assert [each["waits_for"] for each in shown] == reasons
