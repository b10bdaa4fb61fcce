# SPDX-License-Identifier: Apache-2.0
"""A kind that a plugin adds is carried out, listed and shown like a built-in one, and only if it is enabled."""

import json
from dataclasses import replace

import pytest

from agent.tests.lab import lab_load_balancer
from agent.tests.lab.lab_load_balancer import LOAD_BALANCER, LoadBalancerSpec, MemoryLoadBalancers
from stratoplane import CONTRACT
from stratoplane.ids import new_id
from stratoplane.messages import Outcome, ProviderStatus
from stratoplane.settings import NoSettings
from stratoplane.testing import KindConformance, agent_context

ENABLED = {
    "STRATOPLANE_AGENT_DRIVER_KINDS": "load_balancer",
    "STRATOPLANE_AGENT_INTERFACE_DRIVERS": "load_balancer=memory",
    "STRATOPLANE_AGENT_NETWORK": "none",
    "STRATOPLANE_AGENT_STORAGE": "none",
}


def balancer(name: str = "front", **members) -> LoadBalancerSpec:
    return LoadBalancerSpec(uid=new_id(), project_id=new_id(), name=name, port=443, **members)


@pytest.fixture
def installed(agent):
    """Return an agent that is not started, with the kind's distribution beside its drivers."""
    lab_load_balancer.install(agent.folder / "site")
    return agent


class TestEnabled:
    def test_its_objects_live_and_die(self, control_plane, installed):
        installed.start(**ENABLED)
        spec = balancer(members=("a", "b"))
        created = control_plane.queue("load_balancer", "create", spec.uid, spec)
        seen = control_plane.queue("load_balancer", "observe", spec.uid)
        updated = control_plane.queue("load_balancer", "update", spec.uid, replace(spec, members=("c",)))
        drained = control_plane.queue("load_balancer", "drain", spec.uid)
        deleted = control_plane.queue("load_balancer", "delete", spec.uid)
        absent = control_plane.queue("load_balancer", "observe", spec.uid)

        results = [control_plane.result(each) for each in (created, seen, updated, drained, deleted, absent)]

        assert [each.outcome for each in results] == [Outcome.DONE] * 6
        assert [each.status and each.status["members"] for each in results] == [
            ["a", "b"],
            ["a", "b"],
            ["c"],
            [],
            None,
            None,
        ]
        assert results[0].status["address"] == "192.0.2.80"

    def test_a_lost_answer_is_resolved_by_observation(self, control_plane, installed):
        installed.start(**ENABLED)
        spec = balancer("lost")

        result = control_plane.result(control_plane.queue("load_balancer", "create", spec.uid, spec))

        assert (result.outcome, result.status["name"]) == (Outcome.DONE, "lost")

    def test_a_specification_that_cannot_be_read_is_refused(self, control_plane, installed):
        installed.start(**ENABLED)
        uid = new_id()

        result = control_plane.result(control_plane.queue("load_balancer", "create", uid, {"uid": str(uid)}))

        assert (result.outcome, result.code) == (Outcome.PERMANENT, "invalid_spec")

    def test_the_inventory_lists_its_objects(self, control_plane, installed):
        control_plane.inventory_seconds = 0.1
        installed.start(**ENABLED)
        spec = balancer()
        control_plane.result(control_plane.queue("load_balancer", "create", spec.uid, spec))

        def listed():
            messages = control_plane.inventories.get("load_balancer", [])
            return [item for message in messages for item in message.items if item.uid == spec.uid]

        found = control_plane.wait_until(listed, "the load balancer in an inventory")

        assert (found[-1].kind, found[-1].status["port"]) == ("load_balancer", 443)

    def test_the_control_plane_learns_of_its_driver(self, control_plane, installed):
        installed.start(**ENABLED)

        def ready():
            reports = control_plane.hellos[-1].providers if control_plane.hellos else ()
            return [each for each in reports if each.interface == "load_balancer"]

        [report] = control_plane.wait_until(ready, "a report of the load balancer driver")

        assert (report.driver, report.version, report.status) == ("memory", "0.3", ProviderStatus.READY)
        assert report.features == ("drain",)


class TestNotEnabled:
    def test_an_operation_says_what_to_do(self, control_plane, installed):
        installed.start()
        spec = balancer()

        result = control_plane.result(control_plane.queue("load_balancer", "create", spec.uid, spec))

        assert (result.outcome, result.code) == (Outcome.PERMANENT, "unsupported_by_provider")
        assert "enable the kind in its setting driver_kinds" in result.detail

    def test_it_is_not_imported(self, installed):
        (installed.folder / "site" / "lab_load_balancer.py").write_text("raise SystemExit('imported')")

        answer = installed.command("kinds", "-o", "json", PYTHONPATH=str(installed.folder / "site"))

        [kind] = [each for each in json.loads(answer.stdout) if each["name"] == "load_balancer"]
        assert (answer.returncode, kind["state"], kind["version"]) == (0, "DISABLED", "0.3")

    def test_a_driver_of_its_interface_is_broken(self, installed):
        answer = installed.command(
            "drivers", STRATOPLANE_AGENT_INTERFACE_DRIVERS="load_balancer=memory", STRATOPLANE_AGENT_DRIVER=""
        )

        assert answer.returncode == 1
        assert "load_balancer: no enabled driver kind has the interface load_balancer" in answer.stdout


class TestCommands:
    def test_drivers_and_kinds_show_it(self, installed):
        drivers = installed.command("drivers", **ENABLED, STRATOPLANE_AGENT_DRIVER="")
        kinds = installed.command("kinds", **ENABLED)

        assert ["load_balancer", "memory", "0.3", ".".join(map(str, CONTRACT)), "READY", "drain"] in [
            line.split() for line in drivers.stdout.splitlines()
        ]
        assert [line.split()[:4] for line in kinds.stdout.splitlines()][1:] == [
            ["bucket", "storage", "BUILT_IN", "stratoplane"],
            ["load_balancer", "load_balancer", "LOADED", "lab-load-balancer"],
            ["network", "network", "BUILT_IN", "stratoplane"],
            ["virtual_machine", "compute", "BUILT_IN", "stratoplane"],
            ["volume", "storage", "BUILT_IN", "stratoplane"],
        ]

    def test_a_broken_one_is_named_with_its_reason(self, installed):
        (installed.folder / "site" / "lab_load_balancer.py").write_text("raise RuntimeError('out of order')")
        path = {"PYTHONPATH": str(installed.folder / "site"), "STRATOPLANE_AGENT_DRIVER": ""}

        kinds = installed.command("kinds", **ENABLED, **path)
        drivers = installed.command("drivers", **ENABLED, **path)

        assert (kinds.returncode, drivers.returncode) == (1, 1)
        assert "load_balancer: RuntimeError: out of order" in kinds.stdout
        assert "the kind load_balancer is BROKEN: RuntimeError: out of order" in drivers.stdout


class TestMemoryLoadBalancers(KindConformance):
    """The conformance kit certifies a driver of a plugin's kind."""

    driver_kind = LOAD_BALANCER

    @pytest.fixture
    def driver(self, tmp_path):
        driver = MemoryLoadBalancers(NoSettings(), agent_context(tmp_path))
        driver.prepare()
        return driver

    @pytest.fixture
    def new_spec(self):
        return balancer

    @pytest.fixture
    def changed(self):
        return lambda spec: replace(spec, name="renamed", members=("c",))

    @pytest.fixture
    def other_shape(self):
        return lambda spec: replace(spec, port=spec.port + 1)
