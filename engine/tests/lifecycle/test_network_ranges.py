# SPDX-License-Identifier: Apache-2.0
"""The ranges of a project's networks do not overlap."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from stratoplane.errors import InvalidSpecError
from stratoplane_engine.model.change import Accepted

if TYPE_CHECKING:
    from conftest import Site


@pytest.mark.parametrize("cidr", ["10.1.0.0/24", "10.1.0.128/25", "10.0.0.0/8"])
def test_a_range_that_overlaps_is_refused_and_the_network_in_the_way_is_named(site: "Site", cidr: str) -> None:
    site.create("network", name="first", cidr="10.1.0.0/24")
    before = site.everything()

    with pytest.raises(InvalidSpecError) as caught:
        site.create("network", cidr=cidr)

    assert [violation.pointer for violation in caught.value.violations] == ["/cidr"]
    assert caught.value.detail == (
        f"{cidr} overlaps with network first (10.1.0.0/24); choose a range that no network of the project has"
    )
    assert site.everything() == before


def test_ranges_beside_each_other_are_accepted(site: "Site") -> None:
    for cidr in ("10.1.0.0/24", "10.1.1.0/24", "10.0.255.0/24"):
        site.create("network", cidr=cidr)


def test_another_project_may_have_the_same_range(site: "Site") -> None:
    site.create("network", cidr="10.1.0.0/24")
    site.neighbour().create("network", cidr="10.1.0.0/24")


def test_the_range_of_a_deleted_network_is_free_and_that_of_one_being_deleted_is_not(site: "Site") -> None:
    network = site.made("network", cidr="10.1.0.0/24")
    site.delete(network)
    with pytest.raises(InvalidSpecError):
        site.create("network", cidr="10.1.0.0/24")
    site.settle()

    site.create("network", cidr="10.1.0.0/24")


def test_a_network_that_never_came_to_be_keeps_no_range(site: "Site") -> None:
    site.create("network", cidr="10.1.0.0/24")
    site.settle(lambda each: site.hand.failed(each) if each.verb == "create" else site.hand.done(each))

    site.create("network", cidr="10.1.0.0/24")


def test_a_network_that_could_not_be_deleted_keeps_its_range(site: "Site") -> None:
    site.delete(site.made("network", cidr="10.1.0.0/24"))
    site.settle(site.hand.failed)

    with pytest.raises(InvalidSpecError):
        site.create("network", cidr="10.1.0.0/24")


def test_of_many_overlapping_creates_at_once_one_is_accepted(site: "Site") -> None:
    def create(number: int) -> Accepted | InvalidSpecError:
        try:
            return site.create("network", cidr=f"10.1.{number}.0/{24 if number else 16}")
        except InvalidSpecError as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, [0] * 8))

    assert sum(isinstance(answer, Accepted) for answer in answers) == 1
    site.check_accounts()


def test_the_look_for_overlaps_goes_by_the_projects_own_networks(site: "Site") -> None:
    """The plan must not read other tenants' rows: it begins at an index led by organization, project and kind."""
    from stratoplane_engine.db.references import OVERLAPS

    site.execute("ANALYZE resource")
    with site.database.tenant(site.organization_id) as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = connection.exec_driver_sql(
            "EXPLAIN " + OVERLAPS.replace(":organization", f"'{site.organization_id}'")
            .replace(":project", f"'{site.project_id}'").replace(":cidr", "'10.0.0.0/8'")
        ).scalars()  # fmt: skip
        lines = "\n".join(plan)
    assert "resource_page_idx" in lines or "resource_name_key" in lines, lines
