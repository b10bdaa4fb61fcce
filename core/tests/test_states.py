# SPDX-License-Identifier: Apache-2.0
"""Jobs' and resources' states: the tables are whole, the policy sets agree with them."""

import inspect
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratoplane import jobs, resources
from stratoplane.audit import AuditAction
from stratoplane.jobs import LIVE, TERMINAL, JobState, RetryPolicy
from stratoplane.resources import CHANGEABLE, READY, ResourceStatus

TABLES = [
    pytest.param(jobs.TRANSITIONS, JobState, JobState.PENDING, id="job"),
    pytest.param(resources.TRANSITIONS, ResourceStatus, ResourceStatus.PENDING, id="resource"),
]


def reached(table, start):
    found, border = set(), {start}
    while border:
        found |= border
        border = {following for state in border for following in table[state]} - found
    return found


@pytest.mark.parametrize(("table", "states", "start"), TABLES)
def test_every_state_is_a_row_and_can_be_reached(table, states, start):
    assert table.keys() == set(states)
    assert reached(table, start) == set(states)


@pytest.mark.parametrize(("table", "states", "start"), TABLES)
def test_an_end_can_be_reached_from_every_state(table, states, start):
    ends = {state for state, following in table.items() if not following}

    assert ends
    assert [state for state in states if not reached(table, state) & ends] == []


@pytest.mark.parametrize(("table", "states", "start"), TABLES)
def test_a_table_cannot_be_changed(table, states, start):
    with pytest.raises(TypeError):
        table[start] = frozenset()


def test_what_ended_stays_ended():
    assert {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED} == TERMINAL
    assert set(JobState) - TERMINAL == LIVE
    assert all(not jobs.TRANSITIONS[state] for state in TERMINAL)


def test_a_resource_that_goes_is_neither_ready_nor_changeable():
    gone = {ResourceStatus.DELETING, ResourceStatus.DELETED, ResourceStatus.FAILED, ResourceStatus.LOST}

    assert not gone & READY
    assert not gone & CHANGEABLE
    assert READY <= CHANGEABLE


def test_a_deletion_can_be_asked_for_wherever_there_is_something_to_delete():
    there = set(ResourceStatus) - {ResourceStatus.DELETING, ResourceStatus.DELETED}

    assert [state for state in there if ResourceStatus.DELETING not in resources.TRANSITIONS[state]] == []


@pytest.mark.parametrize("module", [jobs, resources])
def test_every_state_says_what_it_means(module):
    kind = JobState if module is jobs else ResourceStatus
    source = inspect.getsource(module)

    for state in kind:
        following = source.split(f'{state.name} = "{state.value}"\n', 1)[1].lstrip()
        assert following.startswith('"""'), state


@given(
    attempt=st.integers(min_value=1, max_value=60),
    retry_after=st.none() | st.floats(min_value=0, max_value=600),
    seed=st.integers(),
)
def test_a_delay_is_at_least_what_the_provider_asked_and_never_endless(attempt, retry_after, seed):
    policy = RetryPolicy()

    delay = policy.delay(attempt, retry_after, random.Random(seed))

    assert (retry_after or 0.0) <= delay <= (retry_after or 0.0) + policy.cap


@given(retry_after=st.floats() | st.none(), seed=st.integers())
def test_whatever_a_provider_asks_the_delay_is_a_duration_within_bounds(retry_after, seed):
    policy = RetryPolicy()

    assert 0.0 <= policy.delay(1, retry_after, random.Random(seed)) <= policy.longest_wish + policy.cap


def test_delays_are_spread_so_that_jobs_do_not_return_together():
    generator = random.Random(7)
    delays = [RetryPolicy().delay(4, None, generator) for _ in range(2000)]

    assert 0.0 <= min(delays) < 0.2
    assert 7.8 < max(delays) <= 8.0
    assert 3.8 < sum(delays) / len(delays) < 4.2


def test_audit_actions_say_who_what_and_what_happened():
    assert all(len(action.value.split(":")) == 3 for action in AuditAction)
    assert (AuditAction.JOB_FAILED.source, AuditAction.JOB_FAILED.subject) == ("engine", "job")
