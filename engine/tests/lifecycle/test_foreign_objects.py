# SPDX-License-Identifier: Apache-2.0
"""Objects of a cluster that are not ours: recorded as they are listed, forgotten when they are listed no more."""

from uuid import uuid4

import pytest

from stratoplane.errors import InvalidSpecError, PermissionDeniedError
from stratoplane.foreign import FOREIGN_LIMIT
from stratoplane.messages import ForeignItem, Inventory
from stratoplane_engine.model.listing import Page
from stratoplane_engine.services import agents, foreign_objects


def report(agent, *names, kind="volume", **members):
    items = tuple(ForeignItem(reference=f"ref-{each}", name=each, status={"size_gib": 1}) for each in names)
    message = Inventory(kinds=(kind,), items=(), snapshot=uuid4(), **{"foreign": items, **members})
    agents.report_inventory(agent.database, agent.identity, message)


def listed(tenant, *, cluster_id=None, kind=None, limit=50):
    """Return the names of every page."""
    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        found = foreign_objects.list_foreign_objects(
            tenant.database, tenant.operator(), Page(limit=limit, cursor=cursor), cluster_id=cluster_id, kind=kind
        )
        names += [each.name for each in found.items]
        cursor = found.next
    return names


def test_what_is_listed_is_kept_and_what_is_listed_no_more_is_forgotten(fresh_tenant):
    report(fresh_tenant.agent, "a", "b")
    (first,) = fresh_tenant.rows("SELECT * FROM foreign_object WHERE name = 'a'")
    report(fresh_tenant.agent, "a", "c")
    (again,) = fresh_tenant.rows("SELECT * FROM foreign_object WHERE name = 'a'")

    assert listed(fresh_tenant) == ["a", "c"]
    assert again.items() >= {"first_seen_at": first["first_seen_at"], "status": {"size_gib": 1}}.items()
    assert again["seen_at"] > first["seen_at"]


def test_a_report_that_says_nothing_of_them_changes_nothing(fresh_tenant):
    report(fresh_tenant.agent, "a")
    report(fresh_tenant.agent, foreign=None)

    assert listed(fresh_tenant) == ["a"]


def test_each_kind_is_replaced_for_itself_and_lists_are_filtered_and_paged(fresh_tenant):
    report(fresh_tenant.agent, "v1", "v2", "v3")
    report(fresh_tenant.agent, "m1", "m2", kind="virtual_machine")

    assert listed(fresh_tenant, limit=2) == ["m1", "m2", "v1", "v2", "v3"]
    assert listed(fresh_tenant, kind="virtual_machine", limit=1) == ["m1", "m2"]
    assert listed(fresh_tenant, cluster_id=uuid4()) == []


def test_a_delta_may_bring_a_new_list(fresh_tenant):
    report(fresh_tenant.agent, "a")
    report(fresh_tenant.agent, sequence=1)

    assert listed(fresh_tenant) == []


def test_a_giant_list_is_cut_and_strange_words_are_taken_out(fresh_tenant):
    items = tuple(
        ForeignItem(reference=f"r{number:05}", name=f"{number}\x1b[2J", status={})
        for number in range(FOREIGN_LIMIT + 5)
    )
    endless = ForeignItem(reference="r" * 300, name="endless", status={})
    report(fresh_tenant.agent, foreign=(endless, *items))

    names = listed(fresh_tenant, limit=200)
    assert len(names) == FOREIGN_LIMIT - 1
    assert names[0] == "0[2J"


def test_a_cursor_of_another_list_is_refused(fresh_tenant):
    for cursor in ("Zm9yZWlnbnxb", "Zm9yZWlnbnwx", "Zm9yZWlnbnxbIngiLDEsMl0"):
        with pytest.raises(InvalidSpecError):
            foreign_objects.list_foreign_objects(
                fresh_tenant.database, fresh_tenant.operator(), Page(cursor=cursor), cluster_id=None, kind=None
            )


def test_tenants_do_not_see_them(fresh_tenant):
    with pytest.raises(PermissionDeniedError):
        foreign_objects.list_foreign_objects(
            fresh_tenant.database, fresh_tenant.context(), Page(), cluster_id=None, kind=None
        )
