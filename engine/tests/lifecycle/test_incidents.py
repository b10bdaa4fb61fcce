# SPDX-License-Identifier: Apache-2.0
"""Incidents: one for each cause, resolved by people, sent to plugins until delivered."""

import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.tests.lifecycle.tenant_world import TenantWorld
from stratoplane.errors import PermissionDeniedError, ResourceNotFoundError, StateConflictError, TransientError
from stratoplane.hookspecs import Notification, hookimpl
from stratoplane.incidents import TRANSITIONS, Finding, IncidentKind, IncidentStatus, Severity
from stratoplane_engine.db import incidents as rows
from stratoplane_engine.incidents.monitor import run_monitor_round
from stratoplane_engine.incidents.notifier import RETRY, notify
from stratoplane_engine.model.incident import DeliveryState, Incident, IncidentFilter, IncidentHistory
from stratoplane_engine.model.listing import Page
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services import incidents
from stratoplane_engine.settings import EngineSettings

SETTINGS = EngineSettings(database_url="", redis_url="")


def finding(key: str = "orphan:1", **changes: Any) -> Finding:
    plain = Finding(kind=IncidentKind.ORPHAN, severity=Severity.WARNING, key=key, title="an orphan")
    return replace(plain, **changes)


def report(tenant: TenantWorld, *findings: Finding) -> None:
    with tenant.database.system() as connection:
        rows.report(connection, *findings)


def resolve(tenant: TenantWorld, *keys: str) -> None:
    with tenant.database.system() as connection:
        rows.resolve(connection, *keys)


RESOLVED = IncidentFilter(statuses=(IncidentStatus.RESOLVED,))
EVERYTHING = IncidentFilter(statuses=tuple(IncidentStatus))
CHANGES: Mapping[str, Callable[..., IncidentHistory]] = {
    "acknowledge": incidents.acknowledge,
    "resolve": incidents.resolve,
    "reopen": incidents.reopen,
    "add_note": incidents.add_note,
}


def listed(tenant: TenantWorld, wanted: IncidentFilter | None = None) -> tuple[Incident, ...]:
    asked = wanted or IncidentFilter()
    return incidents.list_incidents(tenant.database, tenant.operator(), Page(limit=50), asked).items


def whole(tenant: TenantWorld) -> IncidentHistory:
    (one,) = listed(tenant, EVERYTHING)
    return incidents.get_incident(tenant.database, tenant.operator(), one.id)


def only(tenant: TenantWorld) -> Incident:
    return whole(tenant).incident


def actions(history: IncidentHistory) -> list[str]:
    return [event.action for event in history.events]


def act(tenant: TenantWorld, verb: str, note: str = "seen") -> IncidentHistory:
    return CHANGES[verb](tenant.database, tenant.operator(), only(tenant).id, note=note)


def assign(tenant: TenantWorld, assignee: str) -> Incident:
    tenant.add_user("bob")
    return incidents.assign(tenant.database, tenant.operator(), only(tenant).id, assignee=assignee).incident


def test_findings_with_one_key_are_one_incident(fresh_tenant: TenantWorld) -> None:
    for _ in range(3):
        report(fresh_tenant, finding(), finding(), finding("orphan:2"))
    assert [each.occurrences for each in listed(fresh_tenant)] == [1, 1]
    fresh_tenant.execute("UPDATE incident SET seen_at = seen_at - interval '2 minutes'")
    report(fresh_tenant, finding(title="still there"))
    assert sorted((each.occurrences, each.title) for each in listed(fresh_tenant)) == [
        (1, "an orphan"),
        (2, "still there"),
    ]


def test_many_that_find_the_same_at_once_open_one_incident(fresh_tenant: TenantWorld) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: report(fresh_tenant, finding()), range(16)))
    assert actions(whole(fresh_tenant)) == ["opened"]


def test_the_severity_rises_and_never_falls(fresh_tenant: TenantWorld) -> None:
    report(fresh_tenant, finding())
    report(fresh_tenant, finding(severity=Severity.CRITICAL))
    report(fresh_tenant, finding(severity=Severity.INFO))
    assert only(fresh_tenant).severity is Severity.CRITICAL


def test_what_comes_back_soon_opens_the_same_incident_again(fresh_tenant: TenantWorld) -> None:
    report(fresh_tenant, finding())
    resolve(fresh_tenant, "orphan:1", "orphan:unknown")
    assert (only(fresh_tenant).status, listed(fresh_tenant)) == ("RESOLVED", ())
    report(fresh_tenant, finding())
    again = whole(fresh_tenant)
    assert (again.incident.status, actions(again)) == ("OPEN", ["opened", "resolved", "reopened"])


def test_what_comes_back_late_is_another_incident(fresh_tenant: TenantWorld) -> None:
    report(fresh_tenant, finding())
    resolve(fresh_tenant, "orphan:1")
    fresh_tenant.execute("UPDATE incident SET resolved_at = resolved_at - interval '25 hours'")
    report(fresh_tenant, finding())
    assert [len(listed(fresh_tenant, wanted)) for wanted in (IncidentFilter(), RESOLVED)] == [1, 1]


def test_an_incident_is_acknowledged_assigned_remarked_on_and_resolved(fresh_tenant: TenantWorld) -> None:
    report(fresh_tenant, finding())
    name = fresh_tenant.actor.name
    assert (act(fresh_tenant, "acknowledge").incident.assignee, only(fresh_tenant).status) == (name, "ACKNOWLEDGED")
    assert assign(fresh_tenant, "user:bob").assignee == "user:bob"
    act(fresh_tenant, "add_note", note="a cable")
    act(fresh_tenant, "resolve")
    story = act(fresh_tenant, "reopen")
    assert actions(story) == ["opened", "acknowledged", "assigned", "noted", "resolved", "reopened"]
    assert [event.note for event in story.events][3] == "a cable"
    audited = fresh_tenant.rows("SELECT action, actor FROM audit_event WHERE action LIKE '%incident%' ORDER BY id")
    assert [row["action"].split(":")[-1] for row in audited] == actions(story)[1:]
    assert {row["actor"] for row in audited} == {name}


@settings(suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(["acknowledge", "resolve", "reopen", "assign", "report", "resolve"]), max_size=12))
def test_no_course_of_hands_leaves_the_table_of_transitions(fresh_tenant: TenantWorld, steps: list[str]) -> None:
    tenant, target = fresh_tenant, {"acknowledge": "ACKNOWLEDGED", "resolve": "RESOLVED", "reopen": "OPEN"}
    tenant.execute("DELETE FROM incident")
    report(tenant, finding())
    for step in steps:
        before = only(tenant).status
        if step in {"report", "resolve"}:
            report(tenant, finding()) if step == "report" else resolve(tenant, "orphan:1")
            assert only(tenant).status == (
                "RESOLVED" if step == "resolve" else before if before != "RESOLVED" else "OPEN"
            )
            continue
        allowed = before != "RESOLVED" if step == "assign" else IncidentStatus(target[step]) in TRANSITIONS[before]
        try:
            assign(tenant, "user:bob") if step == "assign" else act(tenant, step, note="")
        except StateConflictError:
            assert not allowed
            assert only(tenant).status == before
        else:
            assert allowed
            assert only(tenant).status == target.get(step, before)


def test_filters_narrow_the_list(fresh_tenant: TenantWorld) -> None:
    report(fresh_tenant, finding(), finding("leak:1", kind=IncidentKind.LEAK, cluster_id=fresh_tenant.cluster_id))
    here = IncidentFilter(cluster_id=fresh_tenant.cluster_id)
    assert [each.kind for each in listed(fresh_tenant, IncidentFilter(kind=IncidentKind.LEAK))] == ["leak"]
    assert [each.cluster for each in listed(fresh_tenant, here)] == [fresh_tenant.cluster]
    assert listed(fresh_tenant, IncidentFilter(severity=Severity.CRITICAL)) == ()
    assert listed(fresh_tenant, IncidentFilter(assignee="user:bob")) == ()
    assert len(listed(fresh_tenant, IncidentFilter(severity=Severity.WARNING))) == 2
    act_on_all(fresh_tenant)
    assert len(listed(fresh_tenant, IncidentFilter(assignee=fresh_tenant.actor.name))) == 2


def act_on_all(tenant: TenantWorld) -> None:
    for each in listed(tenant):
        incidents.acknowledge(tenant.database, tenant.operator(), each.id, note="")


def test_pages_follow_one_another(fresh_tenant: TenantWorld) -> None:
    report(fresh_tenant, *(finding(f"orphan:{number}") for number in range(5)))
    first = incidents.list_incidents(fresh_tenant.database, fresh_tenant.operator(), Page(limit=3), EVERYTHING)
    rest = incidents.list_incidents(
        fresh_tenant.database, fresh_tenant.operator(), Page(limit=3, cursor=first.next or ""), EVERYTHING
    )
    assert len({each.id for each in (*first.items, *rest.items)}) == 5
    assert rest.next is None


def test_tenants_see_no_incidents(tenant: TenantWorld) -> None:
    with pytest.raises(PermissionDeniedError):
        incidents.list_incidents(tenant.database, tenant.context(), Page(limit=1), EVERYTHING)


def test_an_unknown_incident_is_not_found(tenant: TenantWorld) -> None:
    for change in CHANGES.values():
        with pytest.raises(ResourceNotFoundError, match="list the incidents"):
            change(tenant.database, tenant.operator(), UUID(int=7), note="x")


def test_what_nobody_acknowledges_escalates_by_time_and_not_for_ever(fresh_tenant: TenantWorld) -> None:
    report(fresh_tenant, finding(), finding("drift:1", kind=IncidentKind.DRIFT, severity=Severity.INFO))
    run_monitor_round(fresh_tenant.database, SETTINGS)
    levels = []
    for _ in range(5):
        fresh_tenant.execute("UPDATE incident SET escalates_at = escalates_at - interval '2 days'")
        run_monitor_round(fresh_tenant.database, SETTINGS)
        (late,) = listed(fresh_tenant, IncidentFilter(kind=IncidentKind.ORPHAN))
        levels.append((late.severity, late.escalation))
    assert levels == [("CRITICAL", 1), ("CRITICAL", 2), ("CRITICAL", 3), ("CRITICAL", 3), ("CRITICAL", 3)]
    fresh_tenant.execute("DELETE FROM incident WHERE severity = 'INFO' AND escalation = 0")
    assert actions(whole(fresh_tenant)) == ["opened", "escalated", "escalated", "escalated"]


def test_what_opens_again_has_its_whole_time_again(fresh_tenant: TenantWorld) -> None:
    report(fresh_tenant, finding(severity=Severity.CRITICAL))
    fresh_tenant.execute("UPDATE incident SET opened_at = opened_at - interval '20 hours'")
    resolve(fresh_tenant, "orphan:1")
    report(fresh_tenant, finding(severity=Severity.CRITICAL))
    for _ in range(2):
        assert run_monitor_round(fresh_tenant.database, SETTINGS).escalated == 0


def test_what_becomes_worse_has_the_shorter_time(fresh_tenant: TenantWorld) -> None:
    report(fresh_tenant, finding())
    run_monitor_round(fresh_tenant.database, SETTINGS)
    report(fresh_tenant, finding(severity=Severity.CRITICAL))
    fresh_tenant.execute("UPDATE incident SET opened_at = opened_at - interval '2 hours'")
    assert [run_monitor_round(fresh_tenant.database, SETTINGS).escalated for _ in range(2)] == [0, 1]


def test_what_is_acknowledged_escalates_no_more(fresh_tenant: TenantWorld) -> None:
    report(fresh_tenant, finding())
    run_monitor_round(fresh_tenant.database, SETTINGS)
    act(fresh_tenant, "acknowledge")
    fresh_tenant.execute("UPDATE incident SET opened_at = opened_at - interval '9 days'")
    assert run_monitor_round(fresh_tenant.database, SETTINGS).escalated == 0


def test_several_monitors_at_once_escalate_once(fresh_tenant: TenantWorld) -> None:
    report(fresh_tenant, finding())
    run_monitor_round(fresh_tenant.database, SETTINGS)
    fresh_tenant.execute("UPDATE incident SET escalates_at = clock_timestamp() - interval '1 second'")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: run_monitor_round(fresh_tenant.database, SETTINGS), range(4)))
    assert only(fresh_tenant).escalation == 1


def test_a_silent_cluster_is_an_incident_until_it_is_heard_again(fresh_tenant: TenantWorld) -> None:
    silence = "UPDATE cluster SET seen_at = clock_timestamp() - interval '1 hour'"
    fresh_tenant.execute(silence)
    assert run_monitor_round(fresh_tenant.database, SETTINGS).silent == 0
    fresh_tenant.execute("UPDATE cluster SET seen_at = clock_timestamp()")
    fresh_tenant.made("volume", size_gib=1)
    fresh_tenant.execute(silence)
    for _ in range(2):
        run_monitor_round(fresh_tenant.database, SETTINGS)
    assert (only(fresh_tenant).kind, only(fresh_tenant).cluster) == ("agent-lost", fresh_tenant.cluster)
    fresh_tenant.execute("UPDATE cluster SET seen_at = clock_timestamp()")
    assert run_monitor_round(fresh_tenant.database, SETTINGS).heard == 1
    assert only(fresh_tenant).status is IncidentStatus.RESOLVED


@dataclass(eq=False)
class Listener:
    """A plugin that notes what it is told, and refuses as often as it is asked to."""

    refusals: list[Exception] = field(default_factory=list)
    told: list[Notification] = field(default_factory=list)

    @hookimpl
    def stratoplane_notify(self, notification: Notification) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.told.append(notification)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def other() -> Listener:
    return Listener()


@pytest.fixture
def plugins(listener: Listener, other: Listener) -> Iterator[Plugins]:
    loaded = Plugins.load()
    for name, plugin in (("first", listener), ("second", other)):
        loaded.manager.register(plugin, name)
    yield loaded
    for plugin in (listener, other):
        loaded.manager.unregister(plugin)


def tell(tenant: TenantWorld, plugins: Plugins) -> int:
    return notify(tenant.database, plugins, generator=random.Random(3))


def let_time_pass(tenant: TenantWorld) -> None:
    tenant.execute("UPDATE delivery SET next_attempt_at = clock_timestamp() WHERE state = 'PENDING'")


def test_every_plugin_is_told_once_of_each_thing(
    fresh_tenant: TenantWorld, plugins: Plugins, listener: Listener, other: Listener
) -> None:
    report(fresh_tenant, finding(detail={"uid": "7"}))
    act(fresh_tenant, "acknowledge")
    act(fresh_tenant, "resolve")
    assert (tell(fresh_tenant, plugins), tell(fresh_tenant, plugins)) == (4, 0)
    for each in (listener, other):
        assert [told.event for told in each.told] == ["opened", "resolved"]
    assert listener.told[0].id != other.told[0].id
    assert (listener.told[0].title, listener.told[0].detail) == ("an orphan", {"uid": "7"})
    assert {each.state for each in whole(fresh_tenant).deliveries} == {DeliveryState.DELIVERED}


def test_a_refusal_is_repeated_later_and_concerns_no_other_plugin(
    fresh_tenant: TenantWorld, plugins: Plugins, listener: Listener, other: Listener
) -> None:
    listener.refusals = [TransientError("busy", retry_after=30.0)]
    report(fresh_tenant, finding())
    tell(fresh_tenant, plugins)
    assert (listener.told, len(other.told)) == ([], 1)
    (waiting,) = [each for each in whole(fresh_tenant).deliveries if each.state is DeliveryState.PENDING]
    assert waiting.error == "busy"
    due = (
        "SELECT extract(epoch FROM next_attempt_at - clock_timestamp())::int AS s FROM delivery WHERE state = 'PENDING'"
    )
    assert fresh_tenant.rows(due)[0]["s"] >= 29
    assert tell(fresh_tenant, plugins) == 0

    let_time_pass(fresh_tenant)
    tell(fresh_tenant, plugins)
    assert [told.id for told in listener.told] == [waiting.id]


def test_what_is_refused_too_often_is_given_up_and_may_be_sent_again(
    fresh_tenant: TenantWorld, plugins: Plugins, listener: Listener
) -> None:
    listener.refusals = [TransientError("busy") for _ in range(RETRY.attempts)]
    report(fresh_tenant, finding())
    for _ in range(RETRY.attempts + 3):
        let_time_pass(fresh_tenant)
        tell(fresh_tenant, plugins)
    (given_up,) = [each for each in whole(fresh_tenant).deliveries if each.state is DeliveryState.FAILED]
    assert (given_up.attempts, listener.told) == (RETRY.attempts, [])

    again = incidents.redeliver(fresh_tenant.database, fresh_tenant.operator(), only(fresh_tenant).id, given_up.id)
    assert (again.id, again.state, again.attempts, again.error) == (given_up.id, DeliveryState.PENDING, 0, "")
    tell(fresh_tenant, plugins)
    assert [told.id for told in listener.told] == [given_up.id]


def test_a_plugin_that_breaks_is_given_up_with_its_words(
    fresh_tenant: TenantWorld, plugins: Plugins, listener: Listener
) -> None:
    listener.refusals = [ValueError("no such recipient")]
    report(fresh_tenant, finding())
    tell(fresh_tenant, plugins)
    errors = {each.plugin: each.error for each in whole(fresh_tenant).deliveries}
    assert errors == {"first": "ValueError: no such recipient", "second": ""}


def test_many_notifiers_tell_each_thing_once(fresh_tenant: TenantWorld, plugins: Plugins, listener: Listener) -> None:
    report(fresh_tenant, *(finding(f"orphan:{number}") for number in range(30)))
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            list(pool.map(lambda _: tell(fresh_tenant, plugins), range(4)))
    assert len({told.incident_id for told in listener.told}) == len(listener.told) == 30


def test_a_notifier_that_died_is_followed_by_another(
    fresh_tenant: TenantWorld, plugins: Plugins, listener: Listener
) -> None:
    report(fresh_tenant, finding())
    listener.refusals = [KeyboardInterrupt()]  # type: ignore[list-item]  # what the end of a process looks like
    with pytest.raises(KeyboardInterrupt):
        tell(fresh_tenant, plugins)
    tell(fresh_tenant, plugins)
    assert listener.told == []
    let_time_pass(fresh_tenant)
    tell(fresh_tenant, plugins)
    assert len(listener.told) == 1


def test_nothing_is_kept_waiting_where_no_plugin_listens(fresh_tenant: TenantWorld) -> None:
    report(fresh_tenant, finding())
    assert tell(fresh_tenant, Plugins.load()) == 0
    assert whole(fresh_tenant).deliveries == ()


def test_a_delivery_of_another_incident_is_not_sent_again(fresh_tenant: TenantWorld) -> None:
    report(fresh_tenant, finding())
    with pytest.raises(ResourceNotFoundError, match="no delivery"):
        incidents.redeliver(fresh_tenant.database, fresh_tenant.operator(), only(fresh_tenant).id, UUID(int=9))
