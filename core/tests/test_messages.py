# SPDX-License-Identifier: Apache-2.0
"""The agents' protocol: what a message holds, as an agent of the first version writes it."""

import dataclasses
import inspect
import uuid

from stratoplane import messages
from stratoplane.messages import Hello, Operation, OperationResult, Outcome
from stratoplane.wire import from_json, to_json

ID, UID = "01a20734-0b28-7018-a1f3-905b2fcca6bb", "01a20734-0b27-7878-9b3d-1212db13642f"


def message_classes():
    return [member for member in vars(messages).values() if dataclasses.is_dataclass(member)]


def test_messages_are_values():
    assert len(message_classes()) > 15
    assert [kind for kind in message_classes() if not kind.__dataclass_params__.frozen] == []
    assert [kind for kind in message_classes() if not inspect.getdoc(kind)] == []


def test_the_smallest_operation_is_understood():
    operation = from_json(Operation, {"id": ID, "epoch": 3, "kind": "network", "verb": "delete", "uid": UID})

    assert operation == Operation(id=uuid.UUID(ID), epoch=3, kind="network", verb="delete", uid=uuid.UUID(UID))
    assert (operation.spec, operation.observe_first, operation.timeout_seconds) == ({}, False, 600.0)


def test_the_wire_form_of_a_result_is_fixed():
    result = OperationResult(
        id=uuid.UUID(ID),
        epoch=3,
        outcome=Outcome.PERMANENT,
        code="no_capacity_at_provider",
        provider_text="No valid host",
    )

    assert to_json(result) == {
        "id": ID,
        "epoch": 3,
        "outcome": "permanent",
        "status": None,
        "code": "no_capacity_at_provider",
        "detail": "",
        "provider_text": "No valid host",
        "retry_after": None,
        "duration_seconds": 0.0,
    }


def test_messages_of_a_newer_agent_are_understood():
    hello = from_json(
        Hello, {"version": "9.9", "mood": "good", "providers": [{"interface": "x", "driver": "y", "z": 1}]}
    )

    assert (hello.version, hello.providers[0].driver) == ("9.9", "y")


def test_outcomes_are_sorted_by_what_the_engine_does_next():
    assert [outcome.value for outcome in Outcome] == ["done", "transient", "uncertain", "permanent"]
