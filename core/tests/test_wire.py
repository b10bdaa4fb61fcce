# SPDX-License-Identifier: Apache-2.0
"""Whatever agents, jobs and the database exchange comes back from JSON as it was."""

import dataclasses
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratoplane import audit, compute, drivers, hookspecs, jobs, messages, network, storage
from stratoplane.errors import InvalidSpecError
from stratoplane.wire import from_json, to_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=3)


def is_value(member: object, module: ModuleType) -> bool:
    return (
        inspect.isclass(member)
        and dataclasses.is_dataclass(member)
        and member.__module__ == module.__name__
        # What holds functions or an open folder stays in its process.
        and member not in (jobs.Step, drivers.AgentContext)
    )


VALUES = [
    member
    for module in (compute, network, storage, drivers, messages, jobs, audit, hookspecs)
    for member in vars(module).values()
    if is_value(member, module)
]


def strategy_of(hint: Any) -> st.SearchStrategy[Any]:
    """Return values of a field's type; floats are finite, and mappings hold what JSON can hold."""
    st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
    st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
    st.register_type_strategy(Mapping, lambda _: OBJECTS)
    return st.from_type(hint)


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__qualname__)
@settings(max_examples=settings().max_examples // 4)  # for each of many kinds
@given(data=st.data())
def test_a_value_comes_back_as_it_was(kind, data):
    value = data.draw(strategy_of(kind))

    document = json.loads(json.dumps(to_json(value)))

    assert from_json(kind, document) == value


def test_all_contract_values_are_tried():
    assert {messages.Operation, messages.OperationResult, compute.MachineSpec, compute.MachineStatus} <= set(VALUES)
    assert len(VALUES) > 30


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True, kw_only=True)
class Inner:
    number: int
    share: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Outer:
    uid: UUID
    inner: Inner
    many: tuple[Inner, ...] = ()
    colour: Colour = Colour.RED
    maybe: Inner | None = None
    at: datetime | None = None
    flag: bool = False
    extra: Mapping[str, object] = dataclasses.field(default_factory=dict)


UID = "01a20734-0b28-7018-a1f3-905b2fcca6bb"


def test_members_that_a_newer_version_sends_are_ignored():
    assert from_json(Inner, {"number": 1, "novelty": True}) == Inner(number=1)


def test_members_that_an_older_version_does_not_send_have_their_default():
    assert from_json(Outer, {"uid": UID, "inner": {"number": 1}}) == Outer(uid=UUID(UID), inner=Inner(number=1))


def test_a_whole_number_may_stand_for_a_float():
    assert from_json(Inner, {"number": 1, "share": 2}) == Inner(number=1, share=2.0)


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ([], ""),
        ({"inner": {"number": 1}}, "/uid"),
        ({"uid": UID}, "/inner"),
        ({"uid": 7, "inner": {"number": 1}}, "/uid"),
        ({"uid": "no-uuid", "inner": {"number": 1}}, "/uid"),
        ({"uid": UID, "inner": {"number": "1"}}, "/inner/number"),
        ({"uid": UID, "inner": {"number": True}}, "/inner/number"),
        ({"uid": UID, "inner": {"number": 1.5}}, "/inner/number"),
        ({"uid": UID, "inner": {}}, "/inner/number"),
        ({"uid": UID, "inner": None}, "/inner"),
        ({"uid": UID, "inner": {"number": 1, "share": "x"}}, "/inner/share"),
        ({"uid": UID, "inner": {"number": 1}, "many": {}}, "/many"),
        ({"uid": UID, "inner": {"number": 1}, "many": [{"number": 1}, {}]}, "/many/1/number"),
        ({"uid": UID, "inner": {"number": 1}, "colour": "blue"}, "/colour"),
        ({"uid": UID, "inner": {"number": 1}, "maybe": 3}, "/maybe"),
        ({"uid": UID, "inner": {"number": 1}, "at": "yesterday"}, "/at"),
        ({"uid": UID, "inner": {"number": 1}, "flag": 1}, "/flag"),
        ({"uid": UID, "inner": {"number": 1}, "extra": []}, "/extra"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(document, pointer):
    with pytest.raises(InvalidSpecError) as caught:
        from_json(Outer, document)

    assert [violation.pointer for violation in caught.value.violations] == [pointer]
    assert caught.value.detail.startswith(pointer or "/")


@given(document=JSON)
def test_no_document_raises_anything_else(document):
    for kind in (Outer, messages.Operation, compute.MachineSpec):
        try:
            from_json(kind, document)
        except InvalidSpecError:
            continue


def test_sets_and_enums_become_lists_and_values():
    assert to_json({"colours": frozenset({Colour.RED})}) == {"colours": ["red"]}
