# SPDX-License-Identifier: Apache-2.0
"""What operators see of drift and of orphans, and the policies that they set."""

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from stratoplane.compared_fields import DriftPolicy
from stratoplane.errors import InvalidSpecError, ResourceNotFoundError
from stratoplane_engine.drift.reconciler import reconcile
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS
from stratoplane_engine.model.drift import Drift, DriftFilter, PolicyKey, PolicySetting
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import cursors, drift, orphans

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


def test_policies_are_listed_set_and_reset_on_record(fresh_tenant: "TenantWorld") -> None:
    database, operator = fresh_tenant.database, fresh_tenant.operator()
    own = {(each.kind, each.field): each.policy for each in drift.list_policies(database, operator)}
    assert own == {
        (kind, field.name): field.policies[0] for kind, each in BUILTIN_KINDS.items() for field in each.compared
    }
    setting = PolicySetting(kind="volume", field="size_gib", driver="mock", policy=DriftPolicy.ADOPT)
    assert drift.set_policy(database, operator, setting).is_set
    lines = [each for each in drift.list_policies(database, operator) if each.field == "size_gib"]
    assert [(each.driver, each.policy, each.is_set) for each in lines] == [
        ("*", "alert", False),
        ("mock", "adopt", True),
    ]
    key = PolicyKey(kind="volume", field="size_gib", driver="mock")
    drift.reset_policy(database, operator, key)
    with pytest.raises(ResourceNotFoundError, match="list the policies"):
        drift.reset_policy(database, operator, key)
    audited = fresh_tenant.rows(
        "SELECT detail->>'policy' AS policy FROM audit_event WHERE action LIKE '%drift-policy%'"
    )
    assert [row["policy"] for row in audited] == ["adopt", None]


@pytest.mark.parametrize(
    ("kind", "field", "policy", "message"),
    [
        ("volume", "colour", DriftPolicy.ALERT, "size_gib"),
        ("moon", "size", DriftPolicy.ALERT, "are compared: none"),
        ("volume", "size_gib", DriftPolicy.CORRECT, "can have alert, adopt"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(
    tenant: "TenantWorld", kind: str, field: str, policy: DriftPolicy, message: str
) -> None:
    setting = PolicySetting(kind=kind, field=field, driver="*", policy=policy)
    with pytest.raises(InvalidSpecError, match=message):
        drift.set_policy(tenant.database, tenant.operator(), setting)


def listed(tenant: "TenantWorld", page: Page, wanted: DriftFilter = DriftFilter()) -> Listing[Drift]:  # noqa: B008  # frozen
    return drift.list_drift(tenant.database, tenant.operator(), page, wanted)


def test_differences_are_listed_while_they_last_and_after(fresh_tenant: "TenantWorld") -> None:
    for number in range(3):
        fresh_tenant.made("volume", size_gib=3, name=f"it-{number}")
    fresh_tenant.list_objects(size_gib=8)
    reconcile(fresh_tenant.database)
    first = listed(fresh_tenant, Page(limit=2))
    second = listed(fresh_tenant, Page(limit=2, cursor=first.next or ""))
    assert {each.name for each in (*first.items, *second.items)} == {"it-0", "it-1", "it-2"}
    fresh_tenant.list_objects()
    reconcile(fresh_tenant.database)
    assert [len(listed(fresh_tenant, Page(limit=9), DriftFilter(only_open=each)).items) for each in (True, False)] == [
        0,
        3,
    ]


def test_objects_of_nobody_are_listed(fresh_tenant: "TenantWorld") -> None:
    uid = uuid4()
    fresh_tenant.agent.list_inventory({uid: ("volume", {"name": "x"})})
    (orphan,) = orphans.list_orphans(fresh_tenant.database, fresh_tenant.operator(), Page(limit=9)).items
    assert (orphan.uid, orphan.kind) == (uid, "volume")


def test_all_objects_of_nobody_are_told_of_and_listed_in_pages(fresh_tenant: "TenantWorld") -> None:
    uids = {str(uuid4()) for _ in range(5)}
    fresh_tenant.agent.list_inventory({UUID(uid): ("volume", {"name": "x"}) for uid in uids})
    assert reconcile(fresh_tenant.database, page=2).orphans == 5
    assert fresh_tenant.rows("SELECT kind, status FROM incident") == [{"kind": "orphan", "status": "OPEN"}] * 5

    seen, cursor = [], ""
    while True:
        listing = orphans.list_orphans(fresh_tenant.database, fresh_tenant.operator(), Page(limit=2, cursor=cursor))
        seen += [str(each.uid) for each in listing.items]
        if listing.next is None:
            break
        cursor = listing.next
    assert (len(seen), set(seen)) == (5, uids)


@pytest.mark.parametrize("key", ["x", "a/b", f"{UUID(int=1)}", f"{UUID(int=1)}/{UUID(int=1)}/{UUID(int=1)}"])
def test_a_forged_cursor_is_refused(tenant: "TenantWorld", key: str) -> None:
    with pytest.raises(InvalidSpecError, match="not one of this list"):
        orphans.list_orphans(tenant.database, tenant.operator(), Page(limit=2, cursor=cursors.encode("cluster", key)))
