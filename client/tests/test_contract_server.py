# SPDX-License-Identifier: Apache-2.0
"""The contract server keeps to the API's document, and a server that does not is caught."""

import pytest

from client.tests.contract_server import Contract
from client.tests.contract_server.document import document
from client.tests.contract_server.exchange import HANDLERS
from stratoplane_client import Client, InvalidRequestError, UnexpectedAnswerError

VERSION = {"version": "0.1.0", "api": "v1"}


def test_it_serves_the_operations_of_the_document_and_no_other() -> None:
    assert HANDLERS.keys() == document().operations.keys()


@pytest.mark.parametrize(
    ("status", "headers", "body", "difference"),
    [
        (201, {}, VERSION, "get_version 201: the document knows no such status"),
        (200, {"X-Surprise": "1"}, VERSION, "get_version 200: unknown header X-Surprise"),
        (200, {}, {**VERSION, "surprise": 1}, "('surprise' was unexpected)"),
        (200, {}, {"version": "0.1.0"}, "'api' is a required property"),
        (200, {}, {**VERSION, "version": 1}, "get_version 200 $.version: 1 is not of type 'string'"),
        (200, {}, None, "None is not of type 'object'"),
        (503, {}, {"code": "service_unavailable"}, "'detail' is a required property"),
    ],
)
def test_a_wrong_answer_is_a_difference(status: int, headers: dict[str, str], body: object, difference: str) -> None:
    found = document().differences(document().operations["get_version"], status, headers, body)

    assert any(difference in each for each in found), found


def test_a_right_answer_is_none() -> None:
    assert document().differences(document().operations["get_version"], 200, {}, VERSION) == []


def test_a_member_that_the_document_does_not_know_is_caught_on_the_way_to_the_client(
    contract: Contract, client: Client
) -> None:
    contract.state.organization["surprise"] = True

    client.organization()

    assert ["'surprise' was unexpected" in each for each in contract.differences] == [True]
    contract.differences.clear()


def test_a_time_in_another_form_is_caught(contract: Contract, client: Client, project: str) -> None:
    contract.state.stored["projects"][0]["created_at"] = "yesterday"

    with pytest.raises(UnexpectedAnswerError):
        client.projects.get(project)
    assert contract.differences == ["get_project 200 $.created_at: 'yesterday' is not a 'date-time'"]
    contract.differences.clear()


def test_requests_are_held_to_it_as_well(client: Client, project: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        client.networks(project).create(name="Front", cidr="10.0.0.0/24")

    assert [each.pointer for each in caught.value.errors] == ["/name"]
