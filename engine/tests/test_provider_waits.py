# SPDX-License-Identifier: Apache-2.0
"""How long jobs wait because a provider asks for it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from engine.tests.test_runner import TRANSIENT, claimed, dispatch, failing, following, judge, raising, undo, workflow
from stratoplane.errors import TransientError
from stratoplane.jobs import JobState
from stratoplane_engine.jobs.runner import RETRY


@given(st.floats() | st.none(), st.booleans())
def test_no_wish_of_a_provider_makes_a_job_wait_beyond_bounds(wish: float | None, by_agent: bool) -> None:  # noqa: FBT001
    flow = workflow(dispatch if by_agent else raising(TransientError("later", retry_after=wish)))
    first = judge(claimed(1), flow)
    update = judge(following(first, replace(TRANSIENT, retry_after=wish)), flow) if by_agent else first
    assert update.next_run_in is not None
    assert 0 <= update.next_run_in <= RETRY.longest_wish + RETRY.cap


def test_after_the_deadline_the_undoing_waits_for_no_providers_wish() -> None:
    flow = workflow((dispatch, undo))
    update = judge(following(failing(flow), replace(TRANSIENT, retry_after=3000.0), overdue=True), flow)
    assert update.state is JobState.RETRYING
    assert update.next_run_in is not None
    assert update.next_run_in <= RETRY.cap


def test_the_providers_wish_to_wait_is_honoured() -> None:
    flow = workflow(dispatch)
    update = judge(following(judge(claimed(1), flow), replace(TRANSIENT, retry_after=90.0)), flow)
    assert update.next_run_in is not None
    assert update.next_run_in >= 90
