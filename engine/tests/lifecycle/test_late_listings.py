# SPDX-License-Identifier: Apache-2.0
"""Listings of drivers: what agents report of them is shown, and an old one is an incident until it is answered."""

import math

import pytest

from engine.tests.lifecycle.tenant_world import TenantWorld
from stratoplane.incidents import IncidentStatus
from stratoplane.messages import Hello, Inventory, ListingReport, ProviderReport
from stratoplane_engine.incidents.monitor import run_monitor_round
from stratoplane_engine.model.incident import Incident, IncidentFilter
from stratoplane_engine.model.listing import Page
from stratoplane_engine.services import agents, clusters, incidents
from stratoplane_engine.settings import EngineSettings

SETTINGS = EngineSettings(database_url="", redis_url="", listing_late_seconds=180.0)


def tell(tenant: TenantWorld, *listings: ListingReport) -> None:
    hello = Hello(version="1", providers=(ProviderReport(interface="compute", driver="mock"),))
    agents.hello(tenant.database, tenant.agent.identity, hello, inventory_seconds=30.0)
    message = Inventory(kinds=(), items=(), listings=listings)
    agents.report_inventory(tenant.database, tenant.agent.identity, message)


def listing(name: str, age: float, error: str = "") -> ListingReport:
    return ListingReport(interface="compute", name=name, age_seconds=age, error=error)


def only(tenant: TenantWorld) -> Incident:
    everything = IncidentFilter(statuses=tuple(IncidentStatus))
    (found,) = incidents.list_incidents(tenant.database, tenant.operator(), Page(limit=9), everything).items
    return found


def test_an_old_listing_is_an_incident_until_the_driver_answers(fresh_tenant: TenantWorld) -> None:
    tell(fresh_tenant, listing("virtual_machine", 200.0, "no answer within 60 s"), listing("capacity", 10.0))
    for _ in range(2):
        assert run_monitor_round(fresh_tenant.database, SETTINGS).late == 1

    found = only(fresh_tenant)
    assert (found.kind, found.status, found.cluster) == ("listing-late", IncidentStatus.OPEN, fresh_tenant.cluster)
    assert (found.detail["listing"], found.detail["error"]) == ("virtual_machine", "no answer within 60 s")

    tell(fresh_tenant, listing("virtual_machine", 1.0), listing("capacity", 10.0))
    assert run_monitor_round(fresh_tenant.database, SETTINGS).late == 0
    assert only(fresh_tenant).status is IncidentStatus.RESOLVED


def test_a_listing_that_is_no_longer_reported_gets_old_by_itself(fresh_tenant: TenantWorld) -> None:
    tell(fresh_tenant, listing("health", 100.0))
    assert run_monitor_round(fresh_tenant.database, SETTINGS).late == 0
    assert run_monitor_round(
        fresh_tenant.database, EngineSettings(database_url="", redis_url="", listing_late_seconds=90.0)
    ).late


def test_providers_are_shown_with_their_listings(fresh_tenant: TenantWorld) -> None:
    tell(fresh_tenant, listing("capacity", 5.0, "capacity returned NoneType\x1b[2J"), listing("health", 1.0))
    (shown,) = clusters.list_providers(fresh_tenant.database, fresh_tenant.operator(), Page(limit=9)).items
    assert [(each.name, each.error) for each in shown.listings] == [
        ("capacity", "capacity returned NoneType[2J"),
        ("health", ""),
    ]
    assert shown.listings[0].answered_at < shown.listings[1].answered_at


def test_an_agent_that_reports_no_listings_is_served_as_before(fresh_tenant: TenantWorld) -> None:
    tell(fresh_tenant)
    assert run_monitor_round(fresh_tenant.database, SETTINGS).late == 0
    (shown,) = clusters.list_providers(fresh_tenant.database, fresh_tenant.operator(), Page(limit=9)).items
    assert shown.listings == ()


@pytest.mark.parametrize("age", [math.nan, math.inf, -1e9, 1e300])
def test_whatever_age_an_agent_reports_it_is_a_time(fresh_tenant: TenantWorld, age: float) -> None:
    tell(fresh_tenant, listing("capacity", age))
    assert run_monitor_round(fresh_tenant.database, SETTINGS).late == (age != -1e9)
