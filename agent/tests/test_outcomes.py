# SPDX-License-Identifier: Apache-2.0
"""Results as they travel: bounded, storable, and true to the error."""

import json

import pytest

from stratoplane.errors import DriverError, PermanentError, TransientError, UncertainError
from stratoplane.ids import new_id
from stratoplane.messages import LONGEST_PROVIDER_TEXT, Operation, OperationResult, Outcome
from stratoplane.wire import from_json
from stratoplane_agent.outcomes import Ending, done, encode, failed

OPERATION = Operation(id=new_id(), epoch=3, kind="volume", verb="create", uid=new_id())


def sent(ending: Ending) -> OperationResult:
    return from_json(OperationResult, json.loads(encode(OPERATION, ending, 0.5)))


def subclasses(error: type[DriverError]) -> set[type[DriverError]]:
    return {error}.union(*(subclasses(each) for each in error.__subclasses__()))


@pytest.mark.parametrize("error", sorted(subclasses(DriverError), key=repr))
def test_every_error_of_the_contract_has_an_outcome(error):
    wanted = Outcome.UNCERTAIN
    for root, outcome in ((TransientError, Outcome.TRANSIENT), (PermanentError, Outcome.PERMANENT)):
        wanted = outcome if issubclass(error, root) else wanted
    ending = failed(error("so it went", provider_text="HTTP 500: boom"))

    assert (ending.outcome, ending.code) == (wanted, error.code)
    assert (ending.detail, ending.provider_text) == ("so it went", "HTTP 500: boom")


def test_a_result_names_operation_and_epoch():
    result = sent(done({"size_gib": 4, "private": {"a": [1, None]}}))

    assert (result.id, result.epoch, result.outcome) == (OPERATION.id, 3, Outcome.DONE)
    assert result.status == {"size_gib": 4, "private": {"a": [1, None]}}
    assert result.duration_seconds == 0.5


def test_a_providers_text_travels_whole_up_to_a_bound():
    whole = sent(failed(UncertainError("x", provider_text="é" * 60_000)))
    cut = sent(failed(UncertainError("x", provider_text="a" * 100_000 + "z")))

    assert whole.provider_text == "é" * 60_000
    assert LONGEST_PROVIDER_TEXT - 64 < len(cut.provider_text) <= LONGEST_PROVIDER_TEXT
    assert "characters left out" in cut.provider_text
    assert cut.provider_text.endswith("z")


def test_what_a_database_cannot_hold_is_replaced():
    result = sent(done({"a\x00b": ["\ud83d", "😀", {"c": "\x00"}], "d": "\\u0000"}))

    assert result.status == {"a\ufffdb": ["\ufffd", "😀", {"c": "\ufffd"}], "d": "\\u0000"}


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_values_that_json_cannot_hold_are_refused(value):
    with pytest.raises((ValueError, TypeError)):
        encode(OPERATION, done({"value": value}), 0.0)


@pytest.mark.parametrize("wish", [float("nan"), float("inf"), -float("inf"), 10**400, "soon"])
def test_a_wait_that_is_no_number_is_left_out(wish):
    assert sent(failed(TransientError("later", retry_after=wish))).retry_after is None
