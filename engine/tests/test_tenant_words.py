# SPDX-License-Identifier: Apache-2.0
"""What tenants are told of errors: nothing that a driver says, and something to do."""

import pytest

from engine.tests.test_runner import claimed, dispatch, done, following, judge, raising, undo, workflow
from stratoplane import errors
from stratoplane.errors import PermanentError, TransientError
from stratoplane.jobs import JobState
from stratoplane_engine.jobs.tenant_words import for_tenants
from stratoplane_engine.model.job import StepError


@pytest.mark.parametrize("raised", [PermanentError("/srv/secret"), TransientError("qemu+ssh://host"), KeyError("/srv")])
def test_tenants_are_told_nothing_that_a_driver_or_a_bug_says(raised: Exception) -> None:
    flow, update = workflow(raising(raised)), judge(claimed(1), workflow(raising(raised)))
    while update.state is JobState.RETRYING:
        update = judge(following(update), flow)
    assert update.error is not None
    assert update.outcome is not None
    for shown in (for_tenants(update.error).detail, update.outcome.detail):
        assert shown
        assert "/" not in shown
        assert "host" not in shown


def test_what_the_platform_says_itself_is_told_to_tenants() -> None:
    update = judge(claimed(2, overdue=True), workflow((done, undo), dispatch))
    assert update.error is not None
    assert for_tenants(update.error).detail == "the job's deadline has passed; what it had made was undone"


def test_every_error_of_drivers_has_words_for_tenants() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.DriverError)]
    words = {for_tenants(StepError(code=kind.code, detail="x")).detail for kind in kinds}
    assert len(words) > 8
    assert "x" not in words
