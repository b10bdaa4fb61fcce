# SPDX-License-Identifier: Apache-2.0
"""The ranges of a project's networks do not overlap."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from stratoplane.errors import InvalidSpecError
from stratoplane_engine.db.references import OVERLAPS
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.change import ChangeResult

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


@pytest.mark.parametrize("cidr", ["10.1.0.0/24", "10.1.0.128/25", "10.0.0.0/8"])
def test_a_range_that_overlaps_is_refused_and_the_network_in_the_way_is_named(tenant: "TenantWorld", cidr: str) -> None:
    tenant.create("network", name="first", cidr="10.1.0.0/24")
    before = tenant.everything()

    with pytest.raises(InvalidSpecError) as caught:
        tenant.create("network", cidr=cidr)

    assert [violation.pointer for violation in caught.value.violations] == ["/cidr"]
    assert caught.value.detail == (
        f"{cidr} overlaps with network first (10.1.0.0/24); choose a range that no network of the project has"
    )
    assert tenant.everything() == before


def test_ranges_beside_each_other_are_accepted(tenant: "TenantWorld") -> None:
    ranges = ("10.1.0.0/24", "10.1.1.0/24", "10.0.255.0/24")
    made = [tenant.made("network", cidr=cidr) for cidr in ranges]

    assert [tenant.get(network).spec.cidr for network in made] == list(ranges)
    assert [tenant.get(network).status for network in made] == ["ACTIVE"] * 3
    assert tenant.used() == {"networks": 3}


def test_another_project_may_have_the_same_range(tenant: "TenantWorld") -> None:
    neighbour = tenant.neighbour()
    mine, its = tenant.made("network", cidr="10.1.0.0/24"), neighbour.made("network", cidr="10.1.0.0/24")

    assert (tenant.get(mine).project_id, neighbour.get(its).project_id) == (tenant.project_id, neighbour.project_id)
    assert tenant.get(mine).spec.cidr == neighbour.get(its).spec.cidr == "10.1.0.0/24"


def test_the_range_of_a_deleted_network_is_free_and_that_of_one_being_deleted_is_not(tenant: "TenantWorld") -> None:
    network = tenant.made("network", cidr="10.1.0.0/24")
    tenant.delete(network)
    with pytest.raises(InvalidSpecError):
        tenant.create("network", cidr="10.1.0.0/24")
    tenant.settle()

    assert tenant.get(tenant.made("network", cidr="10.1.0.0/24")).status == "ACTIVE"


def test_a_network_that_never_came_to_be_keeps_no_range(tenant: "TenantWorld") -> None:
    tenant.create("network", cidr="10.1.0.0/24")
    tenant.settle(lambda each: tenant.agent.failed(each) if each.verb == "create" else tenant.agent.done(each))

    assert tenant.get(tenant.made("network", cidr="10.1.0.0/24")).status == "ACTIVE"


def test_a_network_that_could_not_be_deleted_keeps_its_range(tenant: "TenantWorld") -> None:
    tenant.delete(tenant.made("network", cidr="10.1.0.0/24"))
    tenant.settle(tenant.agent.failed)

    with pytest.raises(InvalidSpecError):
        tenant.create("network", cidr="10.1.0.0/24")


def test_of_many_overlapping_creates_at_once_one_is_accepted(tenant: "TenantWorld") -> None:
    def create(number: int) -> ChangeResult | InvalidSpecError:
        try:
            return tenant.create("network", cidr=f"10.1.{number}.0/{24 if number else 16}")
        except InvalidSpecError as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, [0] * 8))

    assert sum(isinstance(answer, ChangeResult) for answer in answers) == 1
    tenant.check_accounts()


def test_the_look_for_overlaps_goes_by_the_projects_own_networks(tenant: "TenantWorld") -> None:
    """The plan must not read other tenants' rows: it begins at an index led by organization, project and kind."""
    parameters = {"organization": tenant.organization_id, "project": tenant.project_id, "cidr": "10.0.0.0/8"}
    with tenant.database.tenant(tenant.organization_id) as connection:
        connection.run(Statement("SET LOCAL enable_seqscan = off"))
        plan = connection.documents(Statement(f"EXPLAIN {OVERLAPS}"), parameters)
    lines = "\n".join(str(row["QUERY PLAN"]) for row in plan)
    assert "resource_page_idx" in lines or "resource_name_key" in lines, lines


def test_a_network_without_an_address_left_takes_no_machine(tenant: "TenantWorld") -> None:
    network = tenant.made("network", cidr="10.9.0.0/29")
    member: dict[str, Any] = {"network_ids": [network.resource.id]}
    machines = [tenant.create("virtual_machine", **member) for _ in range(5)]

    for context in (tenant.context(dry_run=True), tenant.context()):
        with pytest.raises(InvalidSpecError, match="no address left, 5 of 5 are used") as caught:
            tenant.create("virtual_machine", context=context, **member)
        assert [each.pointer for each in caught.value.violations] == ["/network_ids/0"]

    tenant.settle()
    tenant.delete(machines[0])
    with pytest.raises(InvalidSpecError):
        tenant.create("virtual_machine", **member)
    tenant.settle()
    assert tenant.create("virtual_machine", **member).job is not None
