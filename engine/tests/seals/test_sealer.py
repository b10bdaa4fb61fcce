# SPDX-License-Identifier: Apache-2.0
"""Sealing: every event once, in an order that no late transaction can upset, whatever happens to the sealer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest

from stratoplane.errors import InvalidSpecError
from stratoplane.ids import new_id
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.audit_trail.sealer import Sealing, seal
from stratoplane_engine.audit_trail.verify import verify
from stratoplane_engine.db.incidents import PLATFORM
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.incidents.monitor import run_monitor_round
from stratoplane_engine.model.listing import Page
from stratoplane_engine.services import cursors
from stratoplane_engine.services.audit import list_audit_checkpoints
from stratoplane_engine.settings import EngineSettings

if TYPE_CHECKING:
    from engine.tests.seals.conftest import Trail

SETTINGS = EngineSettings(database_url="postgresql:///unused", redis_url="redis://unused")


def test_everything_is_sealed_once_in_the_order_of_its_transactions(trail: "Trail") -> None:
    for name in "abc":
        trail.write(name)
    everything = trail.unsealed()
    assert seal(trail.database) == Sealing(sealed=everything, size=everything)
    assert seal(trail.database) == Sealing(sealed=0, size=everything)
    trail.write("d")
    assert seal(trail.database) == Sealing(sealed=1, size=everything + 1)
    assert (trail.order(), trail.unsealed()) == (list("abcd"), 0)
    report = verify(trail.database)
    assert (report.events, report.checkpoints, report.findings) == (everything + 1, 2, ())


def test_what_a_late_transaction_may_still_come_before_waits_for_it(trail: "Trail") -> None:
    seal(trail.database)
    with trail.database.system() as early:
        trail.write("early", connection=early)
        trail.write("late")
        assert seal(trail.database).sealed == 0
    assert seal(trail.database).sealed == 2
    assert trail.order() == ["early", "late"]


def test_a_transaction_that_is_taken_back_leaves_no_gap(trail: "Trail") -> None:
    seal(trail.database)
    with trail.database.system() as connection:
        trail.write("never", connection=connection)
        connection.run(Statement("ROLLBACK"))
    trail.write("kept")
    assert (seal(trail.database).sealed, trail.order(), verify(trail.database).findings) == (1, ["kept"], ())


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_a_transaction_may_be_larger_than_a_batch(trail: "Trail", batch: int) -> None:
    trail.write(*"abcdefg")
    trail.write(*"hi")
    everything = trail.unsealed()
    assert seal(trail.database, batch=batch) == Sealing(sealed=everything, size=everything)
    assert (sorted(trail.order()), verify(trail.database).findings) == (list("abcdefghi"), ())


def test_many_sealers_and_writers_at_once_seal_everything_once(trail: "Trail") -> None:
    def one(number: int) -> None:
        trail.write(f"{number}-1", f"{number}-2")
        seal(trail.database, batch=5)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, range(60)))
    seal(trail.database)
    assert (trail.unsealed(), len(trail.order())) == (0, 120)
    assert verify(trail.database).findings == ()


@pytest.mark.parametrize("statement", range(7))
def test_a_sealer_that_dies_after_any_statement_leaves_all_or_nothing(trail: "Trail", statement: int) -> None:
    trail.write("a", "b")
    left = statement

    def die() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise ConnectionAbortedError

    trail.before_statement = die
    try:
        seal(trail.database)
    except ConnectionAbortedError:
        died = True
    else:
        died = False
    trail.before_statement = lambda: None
    assert died or statement > 5  # so that each statement of a round was the last one once
    seal(trail.database)
    assert (trail.order(), trail.unsealed(), verify(trail.database).findings) == (["a", "b"], 0, ())


def test_a_round_with_nothing_to_seal_writes_nothing(trail: "Trail", sent: Callable[[], list[str]]) -> None:
    seal(trail.database)
    before = len(sent())
    seal(trail.database)
    fresh = [each.split()[0] for each in sent()[before:]]
    assert fresh == ["SELECT", "SELECT"]


def test_after_a_restore_from_a_dump_old_and_new_events_are_sealed(trail: "Trail") -> None:
    """There transaction numbers begin again; those that the rows bring along lie in the future."""
    trail.write("sealed before")
    seal(trail.database)
    trail.write("not sealed before")
    trail.ask("UPDATE audit_event SET transaction = '9000000000000000'")
    trail.ask("UPDATE audit_tree SET sealed_to = '8999999999999999'")
    trail.write("new")
    assert seal(trail.database).sealed == 2
    assert trail.order() == ["sealed before", "new", "not sealed before"]
    trail.write("newer")
    assert (seal(trail.database).sealed, trail.unsealed()) == (1, 0)
    ((back,),) = trail.ask("SELECT sealed_to < '8000000000000000' FROM audit_tree")
    assert back
    assert verify(trail.database).findings == ()


def test_a_restored_trail_with_nothing_new_is_looked_through_once(trail: "Trail") -> None:
    seal(trail.database)
    trail.ask("UPDATE audit_tree SET sealed_to = '8999999999999999'")
    assert seal(trail.database).sealed == 0
    ((back,),) = trail.ask("SELECT sealed_to < '8000000000000000' FROM audit_tree")
    assert back


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_leaf SET position = 9",
        "DELETE FROM audit_leaf",
        "UPDATE audit_checkpoint SET size = 9",
        "DELETE FROM audit_checkpoint",
        "DELETE FROM audit_tree",
        "INSERT INTO audit_tree (only_one) VALUES (false)",
    ],
)
def test_the_platform_itself_may_only_append(trail: "Trail", statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), trail.database.system() as connection:
        connection.run(Statement(statement))


def test_checkpoints_are_paged_from_the_newest(
    trail: "Trail", context_of: Callable[..., RequestContext], sent: Callable[[], list[str]]
) -> None:
    context = context_of(new_id(), "platform-admin")
    for name in "abcde":
        trail.write(name)
        seal(trail.database)
    sizes: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        before = len(sent())
        found = list_audit_checkpoints(trail.database, context, Page(limit=2, cursor=cursor))
        assert len(sent()) - before == 1
        sizes += [each.size for each in found.items]
        cursor = found.next
    assert sizes == sorted(set(sizes), reverse=True)
    assert len(sizes) == 5


@pytest.mark.parametrize("key", ["-1", "9223372036854775808", "\u0661", "x", "1.5"])
def test_a_cursor_that_is_none_of_checkpoints_is_refused(
    trail: "Trail", context_of: Callable[..., RequestContext], key: str
) -> None:
    page = Page(limit=2, cursor=cursors.encode("-size", key))
    with pytest.raises(InvalidSpecError, match="not one of this list"):
        list_audit_checkpoints(trail.database, context_of(new_id(), "platform-admin"), page)


def test_a_seal_that_is_late_is_an_incident_until_it_comes(trail: "Trail") -> None:
    assert not run_monitor_round(trail.database, SETTINGS).seal_is_late
    trail.ask("UPDATE audit_event SET occurred_at = occurred_at - interval '61 seconds'")
    assert run_monitor_round(trail.database, SETTINGS).seal_is_late
    ((title, severity, detail),) = trail.ask("SELECT title, severity, detail FROM incident")
    assert severity == "CRITICAL"
    assert "has waited 6" in str(title)
    assert isinstance(detail, dict)
    assert (detail["sealed_events"], detail["sealed_at"]) == (0, None)
    seal(trail.database)
    assert not run_monitor_round(trail.database, SETTINGS).seal_is_late
    assert trail.ask("SELECT status FROM incident") == [("RESOLVED",)]
    assert trail.ask("SELECT actor FROM incident_event WHERE action = 'resolved'") == [(PLATFORM,)]


def test_a_transaction_that_stays_open_makes_the_seal_late(trail: "Trail") -> None:
    seal(trail.database)
    with trail.database.system() as forgotten:
        trail.write("forgotten", connection=forgotten)
        trail.write("waits")
        trail.ask("UPDATE audit_event SET occurred_at = occurred_at - interval '61 seconds' WHERE actor = 'tester'")
        seal(trail.database)
        assert run_monitor_round(trail.database, SETTINGS).seal_is_late
    seal(trail.database)
    assert not run_monitor_round(trail.database, SETTINGS).seal_is_late
