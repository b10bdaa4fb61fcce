# SPDX-License-Identifier: Apache-2.0
"""Whatever somebody with the owner's rights does to a sealed trail, the check says so.

Every edit is made by an account that no trigger stops, looked for, and taken back from a copy.
"""

import os
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pytest

from stratoplane_engine.audit_trail.checkpoint import InvalidCheckpointError
from stratoplane_engine.audit_trail.merkle import leaf_hash
from stratoplane_engine.audit_trail.sealer import content_of, seal
from stratoplane_engine.audit_trail.verify import verify
from stratoplane_engine.db import audit_tree

if TYPE_CHECKING:
    from engine.tests.seals.conftest import Trail

TABLES: Final = ("audit_event", "audit_leaf", "audit_checkpoint", "audit_tree")
WORDS: Final = ("action", "outcome", "actor", "subject_name", "request_id", "trace_id")
IDS: Final = ("id", "organization_id", "project_id", "subject_id")
EDITS: Final = int(os.environ.get("STRATOPLANE_TEST_EDITS", "100"))
"""Random edits; 1,000 were tried when this was written."""

PLAIN: Final = {
    "an event is gone": "DELETE FROM audit_event WHERE subject_name = 'c'",
    "a leaf is gone": "DELETE FROM audit_leaf WHERE position = 2",
    "the first events are gone with their leaves": "DELETE FROM audit_leaf WHERE position < 4",
    "two events have changed places": """UPDATE audit_leaf SET position = -3 WHERE position = 3;
        UPDATE audit_leaf SET position = 3 WHERE position = 4;
        UPDATE audit_leaf SET position = 4 WHERE position = -3""",
    "an event was put in behind": """INSERT INTO audit_event (id, action, outcome, actor, transaction)
        VALUES (gen_random_uuid(), 'x', 'SUCCEEDED', 'ghost', '3')""",
    "an event was taken out of its leaf": "UPDATE audit_leaf SET event_id = gen_random_uuid() WHERE position = 5",
    "the last checkpoint is gone": "DELETE FROM audit_checkpoint WHERE size = (SELECT size FROM audit_tree)",
    "a checkpoint has another size": "UPDATE audit_checkpoint SET size = size - 1 WHERE size > 30",
    "a checkpoint has another root": "UPDATE audit_checkpoint SET root = sha256(root)",
    "a checkpoint has another time": "UPDATE audit_checkpoint SET sealed_at = sealed_at + interval '1 second'",
    "a note was changed": "UPDATE audit_checkpoint SET note = replace(note, 'sealed 2', 'sealed 3')",
    "the tree has other peaks": "UPDATE audit_tree SET peaks = overlay(peaks placing sha256('') from 1)",
}


@pytest.fixture(scope="module")
def rng() -> random.Random:
    return random.Random(20_270_101)


@pytest.fixture
def sealed(trail: "Trail") -> "Trail":
    """A trail of a few dozen events under several seals, and a copy of all of it."""
    for names in ("abc", "d", "efghijk", "l", "mnopqrstuvwxyz"):
        trail.write(*names)
        seal(trail.database)
    assert verify(trail.database).findings == ()
    for table in TABLES:
        trail.ask(f"CREATE TABLE copy_of_{table} AS TABLE {table}")
    return trail


@pytest.fixture
def restore(sealed: "Trail") -> Callable[[], None]:
    """``restore()``: make the trail again what it was."""

    def again() -> None:
        for table in TABLES:
            sealed.ask(f"DELETE FROM {table}; INSERT INTO {table} SELECT * FROM copy_of_{table}")  # noqa: S608  # ours

    return again


@pytest.mark.parametrize("case", PLAIN)
def test_it_shows_that(sealed: "Trail", case: str) -> None:
    sealed.ask(PLAIN[case])
    assert verify(sealed.database).findings


def test_an_honest_trail_goes_on_growing_after_a_check(sealed: "Trail") -> None:
    before = verify(sealed.database)
    sealed.write("more")
    seal(sealed.database)
    after = verify(sealed.database)
    assert (after.events, after.checkpoints, after.findings) == (before.events + 1, before.checkpoints + 1, ())
    assert after.root != before.root


def test_every_random_edit_of_any_column_is_found_where_it_was_made(
    sealed: "Trail", restore: Callable[[], None], rng: random.Random
) -> None:
    positions = [position for (position,) in sealed.ask("SELECT position FROM audit_leaf ORDER BY position")]
    edits = {**dict.fromkeys(WORDS, "{0} || '.'"), **dict.fromkeys(IDS, "gen_random_uuid()")}
    edits |= {
        "detail": """{0} || '{{"more": 1}}'""",
        "occurred_at": "{0} + interval '1 microsecond'",
        "outcome": "reverse({0})",
    }
    for number in range(EDITS):
        column, position = rng.choice(sorted(edits)), rng.choice(positions)
        value = edits[column].format(column)
        where = "WHERE id = (SELECT event_id FROM audit_leaf WHERE position = %(position)s)"
        sealed.ask(f"UPDATE audit_event SET {column} = {value} {where}", position=position)  # noqa: S608  # ours
        findings = verify(sealed.database).findings
        assert findings, (number, column, position)
        assert findings[0].position == position, (number, column, position, findings[0])
        restore()
    assert verify(sealed.database).findings == ()


def test_an_event_that_was_changed_with_its_leaf_contradicts_what_was_signed(sealed: "Trail") -> None:
    sealed.ask("UPDATE audit_event SET actor = 'somebody else' WHERE subject_name = 'd'")
    (changed, *_) = verify(sealed.database).findings
    assert changed.problem == "the event differs from what was sealed"
    assert changed.position is not None
    with sealed.database.system() as connection:
        (leaf,) = audit_tree.leaves(connection, changed.position, changed.position + 1)
    assert leaf.event is not None
    sealed.ask(
        "UPDATE audit_leaf SET hash = %(forged)s WHERE position = %(position)s",
        forged=leaf_hash(content_of(leaf.event)),
        position=changed.position,
    )
    (first, *_) = verify(sealed.database).findings
    assert first.problem == f"the first {changed.position + 1} events differ from those that were signed"


def test_an_end_that_was_cut_off_shows_against_a_checkpoint_that_was_kept(sealed: "Trail") -> None:
    ((kept,),) = sealed.ask("SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1")
    ((size, peaks),) = sealed.ask("SELECT size, peaks FROM audit_tree")
    sealed.write("the deed", "its traces")
    seal(sealed.database)
    ((later,),) = sealed.ask("SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1")
    sealed.ask("DELETE FROM audit_event WHERE subject_name IN ('the deed', 'its traces')")
    sealed.ask("DELETE FROM audit_leaf WHERE position >= %(size)s", size=size)
    sealed.ask("DELETE FROM audit_checkpoint WHERE size > %(size)s", size=size)
    sealed.ask("UPDATE audit_tree SET size = %(size)s, peaks = %(peaks)s", size=size, peaks=peaks)
    assert verify(sealed.database).findings == ()  # which is why checkpoints are to be kept elsewhere
    assert verify(sealed.database, kept=str(kept)).findings == ()
    (cut,) = verify(sealed.database, kept=str(later)).findings
    assert cut.problem.startswith(f"the trail has {size} sealed events, the checkpoint that was kept")


def test_a_rewritten_trail_shows_against_a_checkpoint_that_was_kept(sealed: "Trail") -> None:
    ((kept,),) = sealed.ask("SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1 OFFSET 1")
    sealed.ask("UPDATE audit_event SET actor = 'somebody else' WHERE subject_name = 'd'")
    sealed.ask("DELETE FROM audit_leaf")
    sealed.ask("DELETE FROM audit_checkpoint")
    sealed.ask("UPDATE audit_tree SET size = 0, peaks = '', sealed_to = '0'")
    seal(sealed.database)
    assert verify(sealed.database).findings == ()
    (other,) = verify(sealed.database, kept=str(kept)).findings
    assert other.problem.endswith("differ from those of the checkpoint that was kept")


def test_a_checkpoint_of_another_installation_is_refused(sealed: "Trail") -> None:
    ((kept,),) = sealed.ask("SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1")
    with pytest.raises(InvalidCheckpointError):
        verify(sealed.database, kept=str(kept).replace("stratoplane/", "elsewhere/"))
    with pytest.raises(InvalidCheckpointError):
        verify(sealed.database, kept="nothing")
