# SPDX-License-Identifier: Apache-2.0
"""What the journal keeps, refuses and forgets."""

import json
import sqlite3

import pytest

from stratoplane.ids import new_id
from stratoplane.messages import Operation, OperationReference
from stratoplane_agent.control_plane import Offer
from stratoplane_agent.journal import Counts, Ended, Journal, JournalError, counts_of


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path):
    journal = Journal(path)
    yield journal
    journal.close()


def offer(epoch=1, **members):
    operation = Operation(
        **{"id": new_id(), "epoch": epoch, "kind": "network", "verb": "delete", "uid": new_id(), **members}
    )
    return Offer(operation=operation, document=json.dumps({"id": str(operation.id), "epoch": epoch}))


def ended(made, result="{}"):
    return Ended(id=made.operation.id, epoch=made.operation.epoch, result=result)


def reference(made):
    return OperationReference(id=made.operation.id, epoch=made.operation.epoch)


def test_offers_are_judged_by_their_epoch(journal):
    first = offer(3)
    same, lower, higher = (offer(epoch, id=first.operation.id) for epoch in (3, 2, 4))
    journal.admit([first])

    assert journal.admit([same]).repeated == [same]
    assert journal.admit([lower]).outdated == [lower]
    assert journal.admit([higher]).recorded == [higher]
    assert journal.pending().unfinished == [higher.document]


def test_pending_work_survives_a_restart_in_order(journal, path):
    offers = [offer() for _ in range(5)]
    journal.admit(offers)
    journal.finish([ended(offers[1], '{"n":1}')])
    journal.forget([reference(offers[3])])
    journal.close()
    again = Journal(path)
    pending = again.pending()
    again.close()

    assert pending.unfinished == [offers[number].document for number in (0, 2, 4)]
    assert pending.unreported == [ended(offers[1], '{"n":1}')]


def test_a_result_at_an_older_epoch_changes_nothing(journal):
    old = offer(1)
    new = offer(2, id=old.operation.id)
    journal.admit([old])
    journal.admit([new])
    journal.finish([ended(old)])
    journal.forget([reference(old)])

    assert journal.counts() == Counts(unfinished=1, unreported=0)


def test_the_epoch_stays_known_after_the_result_was_taken(journal):
    made = offer(5)
    journal.admit([made])
    journal.forget([reference(made)])

    assert journal.admit([offer(4, id=made.operation.id)]).recorded == []
    assert journal.counts() == Counts(unfinished=0, unreported=0)


def test_epochs_are_forgotten_after_a_week_unless_the_operation_is_in_hand(journal):
    done, held = offer(), offer()
    journal.admit([done, held])
    journal.forget([reference(done)])
    journal.prune(now=4e9)
    lower = [offer(0, id=each.operation.id) for each in (done, held)]

    assert journal.admit(lower).recorded == [lower[0]]


def test_a_failed_write_leaves_the_journal_usable(journal, path):
    with sqlite3.connect(path) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON work BEGIN SELECT RAISE(ROLLBACK, 'disk full'); END")
    other.close()
    with pytest.raises(JournalError, match="disk full"):
        journal.admit([offer()])

    assert journal.counts() == Counts(unfinished=0, unreported=0)
    assert journal.admit([]).recorded == []


def test_the_journal_can_be_counted_while_the_agent_runs(journal, path, tmp_path):
    journal.admit([offer(), offer()])

    assert counts_of(path) == Counts(unfinished=2, unreported=0)
    assert counts_of(tmp_path / "none.sqlite") == Counts(unfinished=0, unreported=0)


def test_only_its_user_reads_the_journal(journal, path):
    journal.admit([offer()])
    files = list(path.parent.glob(f"{path.name}*"))

    assert len(files) == 3
    assert all(each.stat().st_mode & 0o077 == 0 for each in files)


def test_a_closed_journal_says_so(path):
    journal = Journal(path)
    journal.close()

    with pytest.raises(JournalError, match="closed"):
        journal.admit([offer()])


def test_a_journal_of_a_newer_agent_is_left_alone(path):
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 9")
    other.close()

    with pytest.raises(JournalError, match="newer agent"):
        Journal(path)


def test_a_journal_that_cannot_be_opened_raises(tmp_path):
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal(tmp_path / "no" / "folder.sqlite")
