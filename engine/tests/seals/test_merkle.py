# SPDX-License-Identifier: Apache-2.0
"""The tree's right edge, beside an implementation of the whole tree that others wrote."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from stratoplane_engine.audit_trail.merkle import CompactRange, leaf_hash
from stratoplane_engine.audit_trail.sealer import content_of
from stratoplane_engine.model.audit import AuditEvent

CONTENTS = st.lists(st.binary(max_size=40), max_size=70)


def whole_tree(contents: Sequence[bytes]) -> bytes:
    tree = InmemoryTree(algorithm="sha256")
    for content in contents:
        tree.append_entry(content)
    root: bytes = tree.get_root()
    return root


def grown(contents: Sequence[bytes]) -> CompactRange:
    return CompactRange().with_leaves(map(leaf_hash, contents))


def test_a_tree_of_nothing_has_the_hash_of_nothing() -> None:
    assert CompactRange().root == hashlib.sha256(b"").digest()


def test_the_root_is_the_whole_trees_at_every_size_up_to_1025() -> None:
    other, tree = InmemoryTree(algorithm="sha256"), CompactRange()
    for number in range(1, 1026):
        content = number.to_bytes(2, "big")
        other.append_entry(content)
        tree = tree.with_leaves([leaf_hash(content)])
        assert (tree.size, tree.root) == (number, other.get_root())


@given(contents=CONTENTS, cuts=st.lists(st.integers(0, 70), max_size=4))
def test_leaves_may_come_in_any_portions(contents: list[bytes], cuts: list[int]) -> None:
    tree = CompactRange()
    for start, end in pairwise([0, *sorted(cuts), len(contents)]):
        portion = map(leaf_hash, contents[start:end])
        tree = CompactRange.unpacked(tree.size, tree.packed).with_leaves(portion)
    assert tree == grown(contents)
    assert tree.root == whole_tree(contents)


@given(contents=CONTENTS.filter(bool), data=st.data())
def test_no_leaf_can_be_changed_moved_or_taken_out_without_another_root(
    contents: list[bytes], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(contents) - 1))
    without = contents[:at] + contents[at + 1 :]
    changed = [*contents[:at], contents[at] + b"!", *contents[at + 1 :]]
    assert grown(contents).root not in {grown(without).root, grown(changed).root, grown([*contents, b""]).root}


@pytest.mark.parametrize(("size", "packed"), [(1, b""), (2, bytes(64)), (-1, b""), (3, bytes(32))])
def test_peaks_that_no_tree_of_the_size_has_are_refused(size: int, packed: bytes) -> None:
    with pytest.raises(ValueError, match="perfect subtrees"):
        CompactRange.unpacked(size, packed)


def test_the_content_of_an_event_is_the_same_bytes_for_ever() -> None:
    """What was sealed once has to hash alike in every later version."""
    event = AuditEvent(
        id=UUID(int=1),
        organization_id=UUID(int=2),
        project_id=None,
        action="operations:leak:resolved",
        outcome="succeeded",
        actor="user:alice",
        subject_id=UUID(int=3),
        subject_name="Bücher 书",
        request_id="r-1",
        trace_id="",
        detail={"b": [1, 2.5, None, True], "a": {"text": 'quote " and \\'}},
        occurred_at=datetime(2027, 1, 2, 5, 4, 5, 60, timezone(timedelta(hours=2))),
    )
    content = (
        '{"action":"operations:leak:resolved","actor":"user:alice",'
        '"detail":{"a":{"text":"quote \\" and \\\\"},"b":[1,2.5,null,true]},'
        '"id":"00000000-0000-0000-0000-000000000001","occurred_at":"2027-01-02T03:04:05.000060+00:00",'
        '"organization_id":"00000000-0000-0000-0000-000000000002","outcome":"succeeded","project_id":null,'
        '"request_id":"r-1","subject_id":"00000000-0000-0000-0000-000000000003","subject_name":"Bücher 书",'
        '"trace_id":""}'
    ).encode()

    assert content_of(event) == content
    assert whole_tree([content]) == grown([content_of(event)]).root
