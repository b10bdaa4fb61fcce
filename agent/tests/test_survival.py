# SPDX-License-Identifier: Apache-2.0
"""Crashes, interruptions and hanging drivers: nothing is lost, done twice, or held up by another's trouble."""

import json
import signal
import sqlite3

import pytest

from agent.tests.lab.lab_control_plane import PATIENCE, RefusalError
from stratoplane.messages import Outcome


@pytest.fixture
def running(agent, control_plane):
    # A killed agent's last poll may be answered into the void; such an offer is repeated after this time.
    control_plane.acknowledge_seconds = 0.5
    return agent.start()


def create(control_plane, spec, **members):
    return control_plane.queue("virtual_machine", "create", spec.uid, spec, **members)


def is_begun(control_plane, agent, spec):
    control_plane.wait_until(lambda: agent.calls(f"create {spec.uid}"), "the create began")


def test_an_agent_killed_after_the_effect_makes_no_second_object(control_plane, running, machine):
    spec = machine("linger")
    identifier = create(control_plane, spec)
    control_plane.wait_until(running.machines, "the effect")
    running.kill()
    running.start()
    result = control_plane.result(identifier)

    assert result.outcome is Outcome.DONE
    assert len(running.machines()) == 1
    assert len(running.calls(f"create {spec.uid}")) == 1
    assert control_plane.entries[identifier].offered == [1]


def test_an_agent_killed_before_the_effect_does_it_after_the_restart(control_plane, running, machine):
    spec = machine("hang")
    identifier = create(control_plane, spec)
    is_begun(control_plane, running, spec)
    running.kill()
    running.allow("release")
    running.start()

    assert control_plane.result(identifier).outcome is Outcome.DONE
    assert len(running.machines()) == 1
    assert running.calls(str(spec.uid))[1] == f"machine observe {spec.uid}"


def test_an_agent_killed_many_times_under_load_makes_each_object_once(control_plane, running, machine):
    specs = [machine(f"vm-{number}") for number in range(120)]
    identifiers = []
    for number, spec in enumerate(specs):
        identifiers.append(create(control_plane, spec))
        if number % 30 == 29:
            control_plane.result(identifiers[number - 15])
            running.kill()
            running.start()
    results = [control_plane.result(each) for each in identifiers]

    assert {each.outcome for each in results} == {Outcome.DONE}
    assert len(running.machines()) == len(specs)
    assert len({path.name.split(".")[1] for path in running.machines()}) == len(specs)


def test_an_operation_abandoned_during_the_crash_is_not_executed(control_plane, running, machine):
    spec = machine("hang")
    identifier = create(control_plane, spec)
    is_begun(control_plane, running, spec)
    running.kill()
    with control_plane.changed:
        control_plane.entries[identifier].state = "ABANDONED"
        control_plane.entries[identifier].epoch += 1
    running.start()
    running.wait_for_line("operation_withdrawn")

    assert running.machines() == []
    assert len(running.calls(f"create {spec.uid}")) == 1


def test_a_result_outlives_a_crash_while_the_control_plane_is_away(control_plane, running, machine):
    spec = machine("hang")
    identifier = create(control_plane, spec)
    is_begun(control_plane, running, spec)
    control_plane.stop()
    running.allow("release")
    running.wait_for_line("results_kept")
    running.kill()
    counts = json.loads(running.command("status", "-o", "json").stdout)
    control_plane.start()
    running.start()

    assert control_plane.result(identifier).outcome is Outcome.DONE
    assert (counts["operations_in_progress"], counts["results_to_report"]) == (0, 1)
    assert len(running.calls(str(spec.uid))) == 1


def test_a_running_operation_is_finished_while_the_control_plane_is_away(control_plane, running, machine):
    spec = machine("hang")
    identifier = create(control_plane, spec)
    is_begun(control_plane, running, spec)
    inventories = len(control_plane.inventories.get("virtual_machine", ()))
    hellos = len(control_plane.hellos)
    control_plane.stop()
    running.wait_for_line("disconnected")
    running.allow("release")
    running.wait_for_line("results_kept")
    control_plane.start()

    assert control_plane.result(identifier).outcome is Outcome.DONE
    control_plane.wait_until(lambda: len(control_plane.hellos) > hellos, "a new hello")
    control_plane.wait_until(
        lambda: len(control_plane.inventories.get("virtual_machine", ())) > inventories, "an inventory"
    )


@pytest.mark.parametrize("path", ["offers", "acknowledgements", "results", "hello"])
def test_a_lost_answer_of_the_control_plane_costs_no_operation(control_plane, agent, machine, path):
    control_plane.acknowledge_seconds = 0.3
    control_plane.lost_answers[path] = 2
    agent.start()
    specs = [machine(f"vm-{number}") for number in range(5)]
    results = [control_plane.result(create(control_plane, spec)) for spec in specs]

    assert {each.outcome for each in results} == {Outcome.DONE}
    assert len(agent.machines()) == len(specs)
    assert all(len(agent.calls(f"create {spec.uid}")) == 1 for spec in specs)


def test_an_operation_that_was_withdrawn_before_the_acknowledgement_is_not_executed(control_plane, running, machine):
    control_plane.wait_until(lambda: control_plane.requests["offers"], "the first poll")
    spec = machine()
    with control_plane.changed:
        identifier = create(control_plane, spec)
        control_plane.faults["acknowledgements"] = [RefusalError(503, "service_unavailable")]
        control_plane.changed.notify_all()
        control_plane.wait_until(lambda: control_plane.entries[identifier].offered, "the offer")
        control_plane.entries[identifier].epoch += 1
        control_plane.entries[identifier].state = "ABANDONED"
    running.wait_for_line("operation_withdrawn")

    assert running.calls("machine create") == []


def test_a_lower_epoch_is_refused(control_plane, running, machine):
    spec = machine()
    identifier = create(control_plane, spec)
    control_plane.result(identifier)
    control_plane.requeue(identifier)
    assert control_plane.result(identifier).epoch == 2
    with control_plane.changed:
        control_plane.extra_offers = [{**control_plane.entries[identifier].operation, "epoch": 1}]
        control_plane.changed.notify_all()
    refused = json.loads(running.wait_for_line("offer_refused"))
    with control_plane.changed:
        control_plane.extra_offers = [{**control_plane.entries[identifier].operation, "epoch": 2}]
        control_plane.changed.notify_all()
    running.wait_for_line("offer_repeated")
    # The agent is alive and well after it.
    control_plane.result(create(control_plane, machine()))

    assert (refused["operation"], refused["epoch"]) == (str(identifier), 1)
    assert len(running.calls(f"create {spec.uid}")) == 2


def test_a_lower_epoch_is_refused_after_a_restart(control_plane, running, machine):
    spec = machine()
    identifier = create(control_plane, spec)
    control_plane.result(identifier)
    running.kill()
    running.start()
    control_plane.wait_until(lambda: len(control_plane.hellos) == 2, "the restart")
    control_plane.result(create(control_plane, machine()))
    with control_plane.changed:
        control_plane.extra_offers = [{**control_plane.entries[identifier].operation, "epoch": 0}]
        control_plane.changed.notify_all()

    assert json.loads(running.wait_for_line("offer_refused"))["operation"] == str(identifier)


def test_a_driver_that_waits_holds_no_thread(control_plane, agent, machine):
    agent.start(STRATOPLANE_AGENT_CONCURRENCY="1")
    waiting = [machine("wait") for _ in range(20)]
    identifiers = [create(control_plane, spec) for spec in waiting]
    for spec in waiting:
        is_begun(control_plane, agent, spec)
    other = control_plane.result(create(control_plane, machine()))
    ended = [control_plane.entries[each].result for each in identifiers]
    agent.allow("release")

    assert other.outcome is Outcome.DONE
    assert ended == [None] * len(waiting)
    assert {control_plane.result(each).outcome for each in identifiers} == {Outcome.DONE}


def test_calls_that_do_not_return_hold_up_no_other_provider(control_plane, agent, machine, network):
    agent.start(STRATOPLANE_AGENT_CONCURRENCY="2")
    stuck = [machine("hang") for _ in range(2)]
    identifiers = [create(control_plane, spec) for spec in stuck]
    for spec in stuck:
        is_begun(control_plane, agent, spec)
    net = network()
    made = control_plane.result(control_plane.queue("network", "create", net.uid, net))
    ended = [control_plane.entries[each].result for each in identifiers]
    agent.allow("release")

    assert made.outcome is Outcome.DONE
    assert ended == [None, None]
    assert {control_plane.result(each).outcome for each in identifiers} == {Outcome.DONE}


def test_an_operation_that_does_not_return_is_reported_and_holds_only_its_object(control_plane, agent, machine):
    agent.start(STRATOPLANE_AGENT_CONCURRENCY="2")
    stuck = [machine("hang") for _ in range(2)]
    late = [create(control_plane, spec, timeout_seconds=5.0) for spec in stuck]
    for spec in stuck:
        is_begun(control_plane, agent, spec)
    behind = control_plane.queue("virtual_machine", "delete", stuck[0].uid, timeout_seconds=1.0)
    waiting = create(control_plane, machine("vm"))
    results = [control_plane.result(each) for each in late]
    skipped = control_plane.result(behind)
    after = control_plane.result(waiting)

    assert {(each.outcome, each.code) for each in results} == {(Outcome.UNCERTAIN, "uncertain")}
    assert (skipped.outcome, skipped.code) == (Outcome.TRANSIENT, "transient")
    # Both threads still hang; the operation that waited behind them got a thread in their place.
    assert after.outcome is Outcome.DONE
    agent.allow("release")
    agent.wait_for_line("call_returned_late")
    assert control_plane.result(create(control_plane, stuck[0], observe_first=True)).outcome is Outcome.DONE
    assert agent.calls("machine delete") == []


def test_one_bad_result_does_not_hold_up_the_others(control_plane, running, machine):
    control_plane.unwelcome = "spoiled"
    specs = [machine("spoiled" if number == 7 else f"vm-{number}") for number in range(12)]
    with control_plane.changed:
        identifiers = [create(control_plane, spec) for spec in specs]
    results = [control_plane.result(each) for each in identifiers]

    assert [each.code for each in results] == ["result_refused" if number == 7 else "" for number in range(12)]
    assert results[7].outcome is Outcome.UNCERTAIN


def test_results_wait_for_a_control_plane_in_trouble(control_plane, running, machine):
    control_plane.faults["results"] = [
        RefusalError(500, "internal_error"),
        RefusalError(503, "service_unavailable"),
    ] * 2
    result = control_plane.result(create(control_plane, machine()))

    assert result.outcome is Outcome.DONE
    assert control_plane.requests["results"] == 5


def test_an_agent_that_is_asked_to_stop_finishes_what_it_took(control_plane, running, machine):
    spec = machine("linger")
    identifier = create(control_plane, spec)
    control_plane.wait_until(running.machines, "the effect")
    running.process.send_signal(signal.SIGTERM)
    running.wait_for_line("stopping")
    running.allow("release")

    assert running.process.wait(PATIENCE) == 0
    assert control_plane.entries[identifier].result.outcome is Outcome.DONE
    assert 'operations_left": 0' in running.wait_for_line('"stopped"')


def test_an_agent_that_cannot_finish_in_time_keeps_the_rest(control_plane, agent, machine):
    agent.start(STRATOPLANE_AGENT_GRACE_SECONDS="0.3")
    spec = machine("hang")
    identifier = create(control_plane, spec)
    is_begun(control_plane, agent, spec)
    code = agent.terminate()
    agent.allow("release")
    agent.start()

    assert code == 0
    assert control_plane.result(identifier).outcome is Outcome.DONE
    assert len(agent.machines()) == 1


def test_a_broken_driver_leaves_the_others_alone(control_plane, agent, machine, network):
    agent.start(STRATOPLANE_AGENT_COMPUTE="absent", STRATOPLANE_AGENT_STORAGE="none")
    spec, net = machine(), network()
    broken = control_plane.result(create(control_plane, spec))
    missing = control_plane.result(control_plane.queue("volume", "delete", spec.uid))
    made = control_plane.result(control_plane.queue("network", "create", net.uid, net))
    reports = {each.interface: each for each in control_plane.hellos[-1].providers}

    assert (broken.outcome, broken.code) == (Outcome.PERMANENT, "misconfigured")
    assert "lab_no_such_module" in broken.detail
    assert (missing.outcome, missing.code) == (Outcome.PERMANENT, "unsupported_by_provider")
    assert made.outcome is Outcome.DONE
    assert {name: report.status.value for name, report in reports.items()} == {"compute": "BROKEN", "network": "READY"}
    assert "lab_no_such_module" in reports["compute"].reason


def test_an_unreachable_provider_is_tried_again_and_reported(control_plane, agent, machine):
    agent.allow("unreachable")
    agent.start()
    spec = machine()
    refused = control_plane.result(create(control_plane, spec))
    doubtful = control_plane.result(create(control_plane, spec, observe_first=True))
    agent.forbid("unreachable")
    control_plane.wait_until(
        lambda: {each.status.value for each in control_plane.hellos[-1].providers} == {"READY"}, "all ready"
    )

    assert (refused.outcome, refused.code) == (Outcome.TRANSIENT, "unreachable")
    assert (doubtful.outcome, doubtful.code) == (Outcome.UNCERTAIN, "unreachable")
    assert control_plane.result(create(control_plane, spec)).outcome is Outcome.DONE


def test_a_provider_that_goes_away_is_noticed_by_an_operation(control_plane, running, machine):
    control_plane.result(create(control_plane, machine()))
    running.allow("unreachable")
    lost = control_plane.result(create(control_plane, machine("far")))
    control_plane.wait_until(
        lambda: "UNREACHABLE" in {each.status.value for each in control_plane.hellos[-1].providers}, "it is reported"
    )

    assert (lost.outcome, lost.code) == (Outcome.TRANSIENT, "unreachable")


def test_a_revoked_agent_says_so_and_works_again_after_enrolment(control_plane, running, machine):
    control_plane.result(create(control_plane, machine()))
    with control_plane.changed:
        control_plane.keys.clear()
    running.wait_for_line("unknown or revoked")
    control_plane.join_tokens["token-2"] = "lab"
    enrolled = running.command("enrol", "--replace", STRATOPLANE_AGENT_JOIN_TOKEN=control_plane.token("token-2"))

    assert enrolled.returncode == 0, enrolled.stderr
    assert control_plane.result(create(control_plane, machine())).outcome is Outcome.DONE


def test_a_damaged_journal_is_put_aside(control_plane, running, machine):
    control_plane.result(create(control_plane, machine()))
    running.terminate()
    (running.state / "journal.sqlite").write_bytes(b"no database at all" * 100)
    running.start()

    assert control_plane.result(create(control_plane, machine())).outcome is Outcome.DONE
    assert len(list(running.state.glob("journal.sqlite.damaged-*"))) == 1


def test_no_work_is_taken_while_the_journal_cannot_be_written(control_plane, running, machine):
    control_plane.acknowledge_seconds = 0.3
    control_plane.result(create(control_plane, machine()))
    with sqlite3.connect(running.state / "journal.sqlite", isolation_level=None) as other:
        # What the agent's own statements meet when the disk is full or the file is damaged: an error.
        other.execute("CREATE TRIGGER full BEFORE INSERT ON work BEGIN SELECT RAISE(FAIL, 'disk full'); END")
        spec = machine()
        identifier = create(control_plane, spec)
        running.wait_for_line("disk full")
        calls = running.calls(f"create {spec.uid}")
        other.execute("DROP TRIGGER full")
    other.close()

    assert calls == []
    assert control_plane.result(identifier).outcome is Outcome.DONE


def test_two_agents_cannot_share_a_state_folder(control_plane, running, machine):
    control_plane.result(create(control_plane, machine()))
    second = running.command("run")

    assert second.returncode == 1
    assert "another agent uses" in second.stderr
