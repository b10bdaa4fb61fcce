# SPDX-License-Identifier: Apache-2.0
"""JSON becomes records: strict about what is needed, generous about the rest."""

import dataclasses
from datetime import UTC, datetime

import pytest

from stratoplane_client import UnexpectedAnswerError
from stratoplane_client.decode import Record, decode
from stratoplane_client.models.identity import NewToken, User
from stratoplane_client.models.jobs import Job
from stratoplane_client.models.platform import Plugin, QuotaLine
from stratoplane_client.models.resources import Network, VirtualMachine

MACHINE = {
    "id": "0199d2a5-0c28-7a00-8000-9f504fb17c06",
    "name": "web-1",
    "labels": {"env": "prod"},
    "status": "RUNNING",
    "cluster": None,
    "version": 3,
    "created_at": "2026-11-23T08:00:00.125000Z",
    "network_ids": ["a", "b"],
    "addresses": [{"network_id": "a", "mac": "02:5f", "address": "10.20.0.7", "scope": "new"}],
    "boot_order": ["disk"],
}


def test_members_have_their_types() -> None:
    machine = decode(VirtualMachine, MACHINE)

    assert machine.network_ids == ("a", "b")
    assert machine.addresses[0].address == "10.20.0.7"
    assert machine.created_at == datetime(2026, 11, 23, 8, 0, 0, 125000, tzinfo=UTC)
    assert machine.cluster is None
    assert machine.etag == '"0199d2a5-0c28-7a00-8000-9f504fb17c06.3"'


def test_what_a_newer_server_adds_is_kept_as_it_is() -> None:
    assert decode(VirtualMachine, MACHINE).raw["boot_order"] == ["disk"]


def test_what_an_older_server_leaves_out_or_leaves_empty_has_a_default() -> None:
    machine = decode(VirtualMachine, {"id": "x", "labels": None})

    assert (machine.name, machine.labels, machine.addresses, machine.updated_at) == ("", {}, (), None)
    assert decode(Job, {"id": "x"}).progress.total == 0


def test_a_state_of_the_future_is_only_text() -> None:
    job = decode(Job, {"id": "x", "state": "PAUSED"})

    assert job.state == "PAUSED"
    assert not job.ended


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED", "CANCELLED"])
def test_ended_states(state: str) -> None:
    job = decode(Job, {"id": "x", "state": state})

    assert job.ended
    assert job.succeeded == (state == "SUCCEEDED")


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        (Network, [], "expected a JSON object for Network, got list"),
        (Network, None, "expected a JSON object"),
        (Network, {}, "Network has no member 'id'"),
        (Network, {"id": 7}, "Network has an invalid member 'id': expected str, got int"),
        (Network, {"id": "x", "version": True}, "expected int, got bool"),
        (Network, {"id": "x", "version": 1.5}, "expected int, got float"),
        (Network, {"id": "x", "used_by": "a"}, "expected a list"),
        (Network, {"id": "x", "labels": []}, "expected an object"),
        (Network, {"id": "x", "labels": {"a": 1}}, "invalid member 'labels'"),
        (Network, {"id": "x", "created_at": "yesterday"}, "invalid member 'created_at'"),
        (QuotaLine, {"limit": 1}, "QuotaLine has no member 'key'"),
        (Plugin, {"name": ["x"]}, "invalid member 'name'"),
        (User, {"id": "x", "enabled": 1}, "expected bool, got int"),
        (Job, {"id": "x", "steps": [{}]}, "JobStep has no member 'name'"),
    ],
)
def test_another_shape_is_refused(kind: type[Record], data: object, words: str) -> None:
    with pytest.raises(UnexpectedAnswerError, match=words):
        decode(kind, data)


def test_records_cannot_change_and_do_not_show_secrets() -> None:
    token = decode(NewToken, {"id": "x", "token": "s3cret"})

    with pytest.raises(dataclasses.FrozenInstanceError):
        token.name = "other"  # type: ignore[misc]  # that it cannot be set is what is tested
    assert token.token == "s3cret"
    assert "s3cret" not in repr(token)
