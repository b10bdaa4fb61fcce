# SPDX-License-Identifier: Apache-2.0
"""One agent process against a control plane over HTTP: every verb, and what every kind of end becomes."""

import json
from collections.abc import Iterator

import pytest

from agent.tests.lab.lab_agent import LabAgent
from agent.tests.lab.lab_control_plane import LabControlPlane
from stratoplane import CONTRACT
from stratoplane.ids import new_id
from stratoplane.messages import Outcome, ProviderStatus
from stratoplane.storage import BucketSpec, VolumeSpec


@pytest.fixture(scope="module")
def control_plane() -> Iterator[LabControlPlane]:
    """The control plane of every test here."""
    plane = LabControlPlane()
    plane.start()
    yield plane
    plane.stop()


@pytest.fixture(scope="module")
def shared_agent(tmp_path_factory, control_plane) -> Iterator[LabAgent]:
    """The agent of every test here; none of them ends it."""
    agent = LabAgent(tmp_path_factory.mktemp("agent"), control_plane.url, control_plane.token())
    yield agent.start()
    agent.close()


@pytest.fixture
def running(shared_agent) -> Iterator[LabAgent]:
    """The shared agent, whose drivers behave themselves again after the test."""
    yield shared_agent
    for name in ("blind", "release"):
        shared_agent.forbid(name)


def create(control_plane, spec, **members):
    return control_plane.queue("virtual_machine", "create", spec.uid, spec, **members)


def ending(control_plane, spec, **members):
    return control_plane.result(create(control_plane, spec, **members))


def test_a_machine_lives_and_dies(control_plane, running, machine):
    spec = machine()
    made = ending(control_plane, spec)
    grown = control_plane.queue(
        "virtual_machine", "resize", spec.uid, machine(spec.name, uid=spec.uid, vcpus=4, root_gib=9)
    )
    renamed = control_plane.queue("virtual_machine", "update", spec.uid, machine("db", uid=spec.uid))
    seen = control_plane.queue("virtual_machine", "observe", spec.uid)
    log = control_plane.queue("virtual_machine", "console_log", spec.uid)
    gone = control_plane.queue("virtual_machine", "delete", spec.uid)
    absent = control_plane.queue("virtual_machine", "observe", spec.uid)

    assert made.outcome is Outcome.DONE
    assert made.status["provider_reference"] == f"lab-{spec.uid}"
    assert control_plane.result(grown).status["vcpus"] == 4
    assert control_plane.result(renamed).status["name"] == "db"
    assert control_plane.result(seen).status["name"] == "db"
    assert control_plane.result(log).status == {"text": "boot\ufffded \ufffd login:"}
    assert (control_plane.result(gone).outcome, control_plane.result(gone).status) == (Outcome.DONE, None)
    assert (control_plane.result(absent).outcome, control_plane.result(absent).status) == (Outcome.DONE, None)


def test_networks_volumes_and_buckets_live_and_die(control_plane, running, network, tmp_path):
    project = new_id()
    specs = {
        "network": network(),
        "volume": VolumeSpec(uid=new_id(), project_id=project, name="data", size_gib=3),
        "bucket": BucketSpec(uid=new_id(), project_id=project, name="media"),
    }
    asked = {
        (kind, verb): control_plane.queue(kind, verb, spec.uid, spec if verb in ("create", "update") else None)
        for kind, spec in specs.items()
        for verb in ("create", "update", "observe", "delete")
    }

    assert {key: control_plane.result(each).outcome for key, each in asked.items()} == dict.fromkeys(
        asked, Outcome.DONE
    )
    assert all(control_plane.result(asked[kind, "observe"]).status["name"] == spec.name for kind, spec in specs.items())


@pytest.mark.parametrize(
    ("name", "outcome", "code", "provider_text"),
    [
        ("busy", Outcome.TRANSIENT, "busy", "503 busy"),
        ("refused", Outcome.PERMANENT, "no_capacity_at_provider", "No valid host was found."),
        ("lost-before", Outcome.TRANSIENT, "uncertain", "read timed out"),
        ("bug-before", Outcome.TRANSIENT, "driver_bug", "KeyError: 'flavor'"),
        ("exit", Outcome.TRANSIENT, "driver_bug", "SystemExit: 3"),
        ("nonsense", Outcome.TRANSIENT, "driver_bug", "WrongAnswerError: create returned str, not MachineStatus"),
        ("unreadable", Outcome.UNCERTAIN, "driver_bug", "TypeError: Object of type object is not JSON serializable"),
    ],
)
def test_an_error_says_what_the_engine_does_next(control_plane, running, machine, name, outcome, code, provider_text):
    result = ending(control_plane, machine(name))

    assert (result.outcome, result.code, result.provider_text) == (outcome, code, provider_text)
    assert result.retry_after == (7.0 if code == "busy" else None)


@pytest.mark.parametrize("name", ["lost-after", "bug-after"])
def test_a_lost_answer_is_resolved_by_observation(control_plane, running, machine, name):
    spec = machine(name)
    result = ending(control_plane, spec)

    assert result.outcome is Outcome.DONE
    assert result.status["name"] == name
    assert len(running.machines(spec.uid)) == 1


def test_a_machine_without_its_address_is_not_done(control_plane, running, plugged):
    spec = plugged("homeless")
    result = ending(control_plane, spec)

    assert [each["address"] for each in result.status["addresses"]] == ["192.0.2.7"]
    assert len(running.calls(f"machine create {spec.uid}")) == 2


def test_a_lost_answer_that_cannot_be_observed_stays_uncertain(control_plane, running, machine):
    running.allow("blind")
    result = ending(control_plane, machine("lost-after"))

    assert (result.outcome, result.code) == (Outcome.UNCERTAIN, "uncertain")


def test_a_lost_answer_of_a_delete_is_resolved(control_plane, running, machine):
    spec = machine("sticky")
    ending(control_plane, spec)
    deleted = control_plane.queue("virtual_machine", "delete", spec.uid)

    assert control_plane.result(deleted).outcome is Outcome.DONE


def test_a_bug_of_a_driver_is_logged_with_its_traceback(control_plane, running, machine):
    identifier = create(control_plane, machine("bug-before"))
    control_plane.result(identifier)
    line = json.loads(running.wait_for_line('"event": "driver_bug"', str(identifier)))

    assert line["trace"] == "0af7651916cd43dd8448eb211c80319c"
    assert "lab_driver.py" in line["traceback"]
    assert "KeyError: 'flavor'" in line["traceback"]


def test_the_object_of_an_earlier_attempt_is_taken_as_it_is(control_plane, running, machine):
    spec = machine()
    ending(control_plane, spec)
    repeated = ending(control_plane, spec, observe_first=True)

    assert repeated.outcome is Outcome.DONE
    assert len(running.calls(f"machine create {spec.uid}")) == 1


def test_what_is_absent_after_an_earlier_attempt_is_made(control_plane, running, machine):
    spec = machine()
    result = ending(control_plane, spec, observe_first=True)

    assert result.outcome is Outcome.DONE
    assert running.calls(str(spec.uid)) == [f"machine observe {spec.uid}", f"machine create {spec.uid}"]


def test_what_cannot_be_observed_after_an_earlier_attempt_stays_uncertain(control_plane, running, machine):
    running.allow("blind")
    spec = machine()
    result = ending(control_plane, spec, observe_first=True)

    assert (result.outcome, result.code) == (Outcome.UNCERTAIN, "unreachable")
    assert running.calls(f"machine create {spec.uid}") == []


@pytest.mark.parametrize(
    ("kind", "verb", "code"),
    [
        ("virtual_machine", "reboot", "unsupported_by_provider"),
        ("virtual_machine", "juggle", "unsupported_by_provider"),
        ("load_balancer", "create", "unsupported_by_provider"),
        ("virtual_machine", "create", "invalid_spec"),
    ],
)
def test_what_the_driver_or_the_agent_cannot_do_is_permanent(control_plane, running, kind, verb, code):
    result = control_plane.result(control_plane.queue(kind, verb, new_id()))

    assert (result.outcome, result.code) == (Outcome.PERMANENT, code)


def test_a_specification_of_another_object_is_refused(control_plane, running, machine):
    other, spec = new_id(), machine()
    result = control_plane.result(control_plane.queue("virtual_machine", "create", other, spec))

    assert (result.outcome, result.code) == (Outcome.PERMANENT, "invalid_spec")
    assert running.machines(other) == running.machines(spec.uid) == []


def test_operations_of_one_object_run_one_after_the_other(control_plane, running, machine):
    spec = machine("hang")
    created = create(control_plane, spec)
    control_plane.wait_until(lambda: running.calls(f"create {spec.uid}"), "the create began")
    deleted = control_plane.queue("virtual_machine", "delete", spec.uid)
    other = ending(control_plane, machine("other"))
    began = running.calls(f"machine delete {spec.uid}")
    running.allow("release")

    assert other.outcome is Outcome.DONE
    assert began == []
    assert control_plane.result(created).outcome is Outcome.DONE
    assert control_plane.result(deleted).outcome is Outcome.DONE
    assert running.machines(spec.uid) == []


def test_the_agent_says_what_it_has(control_plane, running):
    hello = control_plane.wait_until(lambda: control_plane.hellos and control_plane.hellos[-1], "hello")
    compute = next(each for each in hello.providers if each.interface == "compute")

    assert (compute.driver, compute.version, compute.contract) == ("lab", "1.2.3", ".".join(map(str, CONTRACT)))
    assert (compute.status, compute.production_ready) == (ProviderStatus.READY, False)
    assert compute.features == ("console_log", "images", "resize")
    assert (hello.capacity.vcpus, hello.capacity.storage_gib) == (64, 500)
