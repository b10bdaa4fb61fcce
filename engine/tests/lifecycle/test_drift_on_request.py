# SPDX-License-Identifier: Apache-2.0
"""What operators see of differences and of objects of nobody, and the policies that they set."""

from collections.abc import Mapping
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from stratoplane.errors import InvalidSpecError, ResourceNotFoundError
from stratoplane_engine.drift.fields import COMPARABLE
from stratoplane_engine.drift.reconciler import reconcile
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import cursors, drift

if TYPE_CHECKING:
    from conftest import Site


def test_policies_are_listed_set_and_reset_on_record(fresh_site: "Site") -> None:
    database, operator = fresh_site.database, fresh_site.operator()
    own = {(each["kind"], each["field"]): each["policy"] for each in drift.list_policies(database, operator)}
    assert own == {(each.kind, each.field): each.policies[0].value for each in COMPARABLE}
    drift.set_policy(database, operator, kind="volume", field="size_gib", driver="mock", policy="adopt")
    lines = [each for each in drift.list_policies(database, operator) if each["field"] == "size_gib"]
    assert [(each["driver"], each["policy"], each["is_set"]) for each in lines] == [
        ("*", "alert", False),
        ("mock", "adopt", True),
    ]
    drift.reset_policy(database, operator, kind="volume", field="size_gib", driver="mock")
    with pytest.raises(ResourceNotFoundError, match="list the policies"):
        drift.reset_policy(database, operator, kind="volume", field="size_gib", driver="mock")
    audited = fresh_site.rows("SELECT detail->>'policy' AS policy FROM audit_event WHERE action LIKE '%drift-policy%'")
    assert [row["policy"] for row in audited] == ["adopt", None]


@pytest.mark.parametrize(
    ("kind", "field", "policy", "words"),
    [
        ("volume", "colour", "alert", "size_gib"),
        ("moon", "size", "alert", "no field at all"),
        ("volume", "size_gib", "correct", "takes alert, adopt"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(site: "Site", kind: str, field: str, policy: str, words: str) -> None:
    with pytest.raises(InvalidSpecError, match=words):
        drift.set_policy(site.database, site.operator(), kind=kind, field=field, driver="*", policy=policy)


def listed(site: "Site", page: Page, *, only_open: bool = True) -> Listing[Mapping[str, object]]:
    return drift.list_drift(site.database, site.operator(), page, only_open=only_open, resource_id=None)


def test_differences_are_listed_while_they_last_and_after(fresh_site: "Site") -> None:
    for number in range(3):
        fresh_site.made("volume", size_gib=3, name=f"it-{number}")
    fresh_site.list_objects(size_gib=8)
    reconcile(fresh_site.database)
    first = listed(fresh_site, Page(limit=2))
    second = listed(fresh_site, Page(limit=2, cursor=first.next or ""))
    assert {each["name"] for each in (*first.items, *second.items)} == {"it-0", "it-1", "it-2"}
    fresh_site.list_objects()
    reconcile(fresh_site.database)
    assert [len(listed(fresh_site, Page(limit=9), only_open=each).items) for each in (True, False)] == [0, 3]


def test_objects_of_nobody_are_listed(fresh_site: "Site") -> None:
    uid = uuid4()
    fresh_site.hand.list_inventory({uid: ("volume", {"name": "x"})})
    (orphan,) = drift.list_orphans(fresh_site.database, fresh_site.operator(), Page(limit=9)).items
    assert (orphan["uid"], orphan["kind"]) == (str(uid), "volume")


def test_all_objects_of_nobody_are_told_of_and_listed_in_pages(fresh_site: "Site") -> None:
    uids = {str(uuid4()) for _ in range(5)}
    fresh_site.hand.list_inventory({UUID(uid): ("volume", {"name": "x"}) for uid in uids})
    assert reconcile(fresh_site.database, page=2).orphans == 5
    assert fresh_site.rows("SELECT kind, status FROM incident") == [{"kind": "orphan", "status": "OPEN"}] * 5

    seen, cursor = [], ""
    while True:
        listing = drift.list_orphans(fresh_site.database, fresh_site.operator(), Page(limit=2, cursor=cursor))
        seen += [str(each["uid"]) for each in listing.items]
        if listing.next is None:
            break
        cursor = listing.next
    assert (len(seen), set(seen)) == (5, uids)


@pytest.mark.parametrize("key", ["x", "a/b", f"{UUID(int=1)}", f"{UUID(int=1)}/{UUID(int=1)}/{UUID(int=1)}"])
def test_a_cursor_of_our_own_making_is_refused(site: "Site", key: str) -> None:
    with pytest.raises(InvalidSpecError, match="not one of this list"):
        drift.list_orphans(site.database, site.operator(), Page(limit=2, cursor=cursors.encode("cluster", key)))
