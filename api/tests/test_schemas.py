# SPDX-License-Identifier: Apache-2.0
"""What requests may hold: strict types, names, labels, networks, and words for what is refused."""

import pytest
from marshmallow import ValidationError

from stratoplane_api.schemas import compute, drift, identity, incidents, network, platform, storage
from stratoplane_api.schemas.strict import SERVER_OWNED
from stratoplane_api.views.kinds import KINDS

NETWORK = {"name": "front", "cidr": "10.20.0.0/24"}


def refusals(schema, document):
    with pytest.raises(ValidationError) as caught:
        schema().load(document)
    return caught.value.messages


@pytest.mark.parametrize("name", ["a", "web-1", "0", "a" * 63, "a--b"])
def test_names_are_labels_of_a_host_name(name):
    assert network.NetworkCreate().load({**NETWORK, "name": name})["name"] == name


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "A", "a_b", "a.b", "a" * 64, "ü", "a\n", "a b", 3, None, ["a"], True, "../x", "a/b"]
)
def test_other_names_are_refused(name):
    assert "name" in refusals(network.NetworkCreate, {**NETWORK, "name": name})


@pytest.mark.parametrize(
    "cidr",
    ["10.0.0.0", "10.0.0.0/33", "10.0.0.1/24", "fd00::/64", "10.0.0.0/024", "10.0.0/24", "010.0.0.0/8", "", 10, "x"],
)
def test_a_cidr_is_an_ipv4_network_in_canonical_form(cidr):
    assert "cidr" in refusals(network.NetworkCreate, {**NETWORK, "cidr": cidr})


def test_host_bits_in_a_cidr_are_answered_with_the_network():
    assert refusals(network.NetworkCreate, {**NETWORK, "cidr": "10.0.0.9/24"})["cidr"] == [
        "has host bits set; the network is 10.0.0.0/24"
    ]


@pytest.mark.parametrize("size", ["2", 2.0, 2.5, True, None, 0, -1, 65_537, 10**30, [2], "²"])
def test_a_size_is_a_whole_number_in_its_range(size):
    assert "size_gib" in refusals(storage.VolumeCreate, {"name": "v", "size_gib": size})


@pytest.mark.parametrize(
    "labels", [{"env": "prod"}, {"example.com/tier": "web_1.x"}, {"a": ""}, {}, {"A": "B"}, {"k" * 63: "v" * 63}]
)
def test_labels_follow_kubernetes(labels):
    assert network.NetworkCreate().load({**NETWORK, "labels": labels})["labels"] == labels


@pytest.mark.parametrize(
    ("labels", "where"),
    [
        ({"-a": "x"}, "-a"),
        ({"a": "-"}, "a"),
        ({"a": 1}, "a"),
        ({"a": None}, "a"),
        ({"k" * 64: "x"}, "k" * 64),
        ({"a": "v" * 64}, "a"),
        ({"a b": "x"}, "a b"),
        ({"Upper.Case/a": "x"}, "Upper.Case/a"),
        ({"": "x"}, ""),
        ({"a": "x\n"}, "a"),
    ],
)
def test_other_labels_are_refused_at_their_key(labels, where):
    assert list(refusals(network.NetworkCreate, {**NETWORK, "labels": labels})["labels"]) == [where]


def test_labels_are_an_object_of_bounded_size():
    assert "labels" in refusals(network.NetworkCreate, {**NETWORK, "labels": ["a"]})
    assert "labels" in refusals(network.NetworkCreate, {**NETWORK, "labels": {f"k{n}": "" for n in range(65)}})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("member", sorted(SERVER_OWNED))
def test_what_the_server_owns_is_refused_by_name(kind, member):
    for schema in (kind.create, kind.update):
        if member not in schema().fields:
            assert refusals(schema, {member: "x"})[member] == ["is set by the server; leave it out"]


def test_an_unknown_member_is_answered_with_the_nearest_known_one():
    messages = refusals(storage.VolumeCreate, {"name": "v", "size_gib": 1, "size_gb": 2, "colour": "red"})

    assert messages["size_gb"] == ["is not known here; did you mean 'size_gib'?"]
    assert "known are cluster, image, labels, name, size_gib" in messages["colour"][0]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_examples_of_requests_are_acceptable(kind):
    kind.create().load(dict(kind.create_example))
    kind.update().load(dict(kind.update_example))


def test_a_machine_starts_from_an_image_or_a_volume_and_not_from_both():
    machine = {"name": "m", "flavor": "small"}

    assert "image" in refusals(compute.VirtualMachineCreate, machine)
    both = {**machine, "image": "debian-12", "boot_volume_id": "0199d2a5-0c24-7a00-8000-8e4f3ea06b05"}
    assert "image" in refusals(compute.VirtualMachineCreate, both)


@pytest.mark.parametrize(
    "ids", [["x"], [1], "x", ["0199d2a5-0c24-7a00-8000-8e4f3ea06b05"] * 2, ["0199D2A5-0C24-7A00-8000-8E4F3EA06B05"]]
)
def test_lists_of_ids_hold_different_ids(ids):
    machine = {"name": "m", "flavor": "small", "image": "i", "network_ids": ids}

    assert "network_ids" in refusals(compute.VirtualMachineCreate, machine)


ONE_LINE = [
    (identity.OrganizationUpdate, "display_name"),
    (platform.ClusterUpdate, "description"),
    (incidents.Assignment, "assignee"),
    (drift.PolicyKey, "kind"),
]


@pytest.mark.parametrize(("schema", "member"), ONE_LINE)
@pytest.mark.parametrize(
    "sign",
    [*"\n\r\t\x00\x1b\x7f\x85\x9b\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2060\u2066\u2069\ufeff"],
    ids=ascii,
)
def test_one_line_holds_neither_control_nor_direction_characters(schema, member, sign):
    assert member in refusals(schema, {member: f"a{sign}b"})


@pytest.mark.parametrize(
    "text",
    [
        "T\u014dky\u014d \u6771\u4eac",
        "\u0646\u0627\u0645\u200c\u0647\u0627",
        "\U0001f469\u200d\U0001f680",
        "\u05e9\u05dc\u05d5\u05dd",
    ],
)
def test_one_line_holds_every_script(text):
    assert identity.OrganizationUpdate().load({"display_name": text}) == {"display_name": text}


@pytest.mark.parametrize("text", ["x" * 65_537, "\u20ac" * 21_846, "\U0001f600" * 16_385])
def test_user_data_is_bounded_in_bytes(text):
    machine = {"name": "m", "flavor": "small", "image": "i", "user_data": text}

    assert "at most 65536" in refusals(compute.VirtualMachineCreate, machine)["user_data"][0]


@pytest.mark.parametrize("text", ["x" * 65_536, "\u20ac" * 21_845, "\U0001f600" * 16_384, "a\r\nb\n"])
def test_user_data_within_the_bound_is_taken_unchanged(text):
    machine = {"name": "m", "flavor": "small", "image": "i", "user_data": text}

    assert compute.VirtualMachineCreate().load(machine)["user_data"] == text
