# SPDX-License-Identifier: Apache-2.0
"""Listings: each has a deadline of its own, is tried again, and tells its age and what is wrong with it."""

import pytest

from stratoplane.compute import ImageOps
from stratoplane.drivers import AvailableImage
from stratoplane.messages import ProviderStatus
from stratoplane_agent.measures import images_of
from stratoplane_agent.session import read_status


@pytest.fixture
def hurried(control_plane, agent):
    """An agent that lists often and gives up soon."""
    control_plane.inventory_seconds = 0.2
    agent.variables["STRATOPLANE_AGENT_LISTING_SECONDS"] = "0.5"
    return agent


def seen_since(control_plane, count):
    return control_plane.inventories.get("virtual_machine", ())[count:]


def wait_for_error(control_plane, listing, words):
    control_plane.wait_until(
        lambda: [each for each in control_plane.listings if words in each[listing].error], f"{listing}: {words}"
    )


def test_a_list_that_hangs_once_is_given_up_and_tried_again(control_plane, hurried):
    (hurried.driver_folder / "hang-once").touch()
    hurried.start()

    wait_for_error(control_plane, "compute virtual_machine", "no answer within 0.5 s")
    control_plane.wait_until(lambda: seen_since(control_plane, 0), "an inventory while the first list still hangs")
    control_plane.wait_until(lambda: not control_plane.listings[-1]["compute virtual_machine"].error, "no error")
    assert len(hurried.calls("machine list")) >= 2
    hurried.allow("release")


def test_the_other_kinds_do_not_wait_for_one_that_hangs(control_plane, hurried):
    (hurried.driver_folder / "deaf").touch()
    hurried.start()
    wait_for_error(control_plane, "compute virtual_machine", "no answer")
    before = len(control_plane.inventories["volume"])

    control_plane.wait_until(lambda: len(control_plane.inventories["volume"]) > before + 2, "volumes are listed")
    ages = [each["compute virtual_machine"].age_seconds for each in control_plane.listings]
    assert ages[-1] > ages[0]
    assert control_plane.listings[-1]["compute health"].error == ""


def test_it_is_listed_again_when_the_provider_answers_again(control_plane, hurried):
    deaf = hurried.driver_folder / "deaf"
    deaf.touch()
    hurried.start()
    wait_for_error(control_plane, "compute virtual_machine", "2 calls hang")

    deaf.unlink()

    control_plane.wait_until(lambda: seen_since(control_plane, 0), "an inventory")
    control_plane.wait_until(lambda: not control_plane.listings[-1]["compute virtual_machine"].error, "no error")


def test_a_capacity_that_is_none_is_reported_and_the_last_one_stays(control_plane, hurried):
    hurried.start()
    control_plane.wait_until(lambda: control_plane.listings, "a report")
    (hurried.driver_folder / "no-capacity").touch()

    wait_for_error(control_plane, "compute capacity", "capacity returned NoneType, not Capacity")

    last = control_plane.inventories["virtual_machine"][-1]
    assert last.capacity.vcpus == 64


def test_the_status_file_shows_every_listing(control_plane, hurried):
    (hurried.driver_folder / "no-capacity").touch()
    hurried.start()
    wait_for_error(control_plane, "compute capacity", "NoneType")

    status = read_status(hurried.state)
    assert status is not None
    names = {(each.interface, each.name) for each in status.listings}
    assert {
        ("compute", "virtual_machine"),
        ("compute", "capacity"),
        ("compute", "health"),
        ("storage", "bucket"),
    } <= names
    assert any("NoneType" in each.error for each in status.listings)


def test_images_are_told_with_the_first_hello_and_whenever_they_change(control_plane, hurried):
    images = hurried.driver_folder / "images"

    def told():
        (compute,) = (each for each in control_plane.hellos[-1].providers if each.interface == "compute")
        return None if compute.images is None else [each.source for each in compute.images]

    hurried.start()
    control_plane.wait_until(lambda: control_plane.hellos, "a hello")
    assert told() is None

    images.write_text("debian.qcow2")
    control_plane.wait_until(lambda: told() == ["debian.qcow2"], "the driver tells its images")
    assert control_plane.listings[-1]["compute images"].error == ""

    images.write_text("debian.qcow2\n")
    wait_for_error(control_plane, "compute images", "list_images returned NoneType, not AvailableImage")
    assert told() == ["debian.qcow2"]

    hurried.kill()
    images.write_text("rocky.qcow2")
    before = len(control_plane.hellos)
    hurried.start()

    def ready():
        since = [each for hello in control_plane.hellos[before:] for each in hello.providers]
        return [each for each in since if (each.interface, each.status) == ("compute", ProviderStatus.READY)]

    control_plane.wait_until(ready, "a driver that is ready")
    assert [each.source for each in ready()[0].images] == ["rocky.qcow2"]


def test_a_driver_with_too_many_images_does_not_tell_them():
    class Hoarder(ImageOps):
        def list_images(self, limit):
            return (AvailableImage(source=f"{at}.qcow2") for at in range(limit))

    assert images_of(Hoarder()) is None
