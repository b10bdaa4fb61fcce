# SPDX-License-Identifier: Apache-2.0
"""What is asked to go wrong goes wrong, in the way and as often as asked."""

import json
import threading
import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratoplane.errors import (
    CapacityError,
    ProviderRateLimitedError,
    TransientError,
    UncertainError,
    UnreachableError,
)
from stratoplane.resources import PowerState
from stratoplane_mock.disturbances import FOREIGN_INSTALLATION
from stratoplane_mock.region import MockRegion
from stratoplane_mock.rules import Call, Fault, FaultRule, Kind, parse_rule


def always(fault: Fault, verb: str = "create", **chosen: Any) -> FaultRule:
    return FaultRule(fault=fault, kind="machine", verb=verb, **chosen)


def test_an_empty_plan_lets_everything_pass(cluster, machine):
    assert cluster.compute.create(machine()).vcpus == 1
    assert cluster.region.faults.show() == []


def test_a_region_that_is_unavailable_does_nothing(cluster, machine):
    cluster.region.faults.set(always(Fault.UNAVAILABLE, retry_after=7.0))

    with pytest.raises(TransientError) as caught:
        cluster.compute.create(machine())

    assert (caught.value.retry_after, caught.value.provider_text) == (7.0, "503 Service Unavailable")
    assert list(cluster.compute.list()) == []


def test_a_region_that_limits_its_rate_says_when_to_come_back(cluster, machine):
    cluster.region.faults.set(always(Fault.RATE_LIMITED, retry_after=2.0))

    with pytest.raises(ProviderRateLimitedError) as caught:
        cluster.compute.create(machine())

    assert caught.value.retry_after == 2.0


def test_a_full_region_says_so_for_good(cluster, machine):
    cluster.region.faults.set(always(Fault.NO_CAPACITY))

    with pytest.raises(CapacityError):
        cluster.compute.create(machine())


def test_a_request_lost_on_its_way_has_no_effect(cluster, machine):
    cluster.region.faults.set(always(Fault.LOST_BEFORE))
    spec = machine()

    with pytest.raises(UncertainError):
        cluster.compute.create(spec)

    assert cluster.compute.observe(spec.uid) is None


def test_a_lost_reply_hides_an_effect(cluster, machine):
    cluster.region.faults.set(always(Fault.LOST_AFTER, times=1))
    spec = machine()

    with pytest.raises(UncertainError):
        cluster.compute.create(spec)

    assert cluster.compute.observe(spec.uid) == cluster.compute.create(spec)


def test_a_slow_reply_comes_after_the_effect(cluster, machine):
    cluster.region.faults.set(always(Fault.SLOW, delay_seconds=3.0))
    spec, answers = machine(), []
    caller = threading.Thread(target=lambda: answers.append(cluster.compute.create(spec)))

    caller.start()
    while cluster.compute.observe(spec.uid) is None:
        assert caller.is_alive()
    assert answers == []
    caller.join()

    assert answers == [cluster.compute.observe(spec.uid)]


def test_a_late_request_takes_effect_after_the_caller_gave_up(cluster, machine):
    cluster.region.faults.set(always(Fault.LATE, delay_seconds=3.0))
    spec = machine()

    with pytest.raises(UncertainError):
        cluster.compute.create(spec)
    cluster.compute.delete(spec.uid)

    late = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    for thread in late:
        thread.join()
    assert cluster.compute.observe(spec.uid) is not None


def test_an_interrupted_call_leaves_a_partial_object(cluster, machine, network):
    lan = network()
    cluster.network.create(lan)
    cluster.region.faults.set(always(Fault.PARTIAL, step=1, times=1))
    spec = machine(lan)

    with pytest.raises(UncertainError):
        cluster.compute.create(spec)

    assert cluster.compute.observe(spec.uid) is None
    assert [status.addresses for status in cluster.compute.list()] == [()]
    assert len(cluster.compute.create(spec).addresses) == 1
    assert cluster.region.admin.problems() == []


def test_an_object_vanishes_after_its_creation(cluster, machine):
    cluster.region.faults.set(always(Fault.VANISH))
    spec = machine()

    assert cluster.compute.create(spec).uid == spec.uid
    assert cluster.compute.observe(spec.uid) is None


def test_an_object_hides_and_is_there_all_the_same(cluster, machine):
    cluster.region.faults.set(always(Fault.HIDE, delay_seconds=3600))
    spec = machine()

    cluster.compute.create(spec)

    assert cluster.compute.observe(spec.uid) is None
    assert list(cluster.compute.list()) == []
    cluster.region.faults.clear()
    assert cluster.compute.create(spec).uid == spec.uid
    assert len(cluster.region.admin.objects(Kind.MACHINE)) == 1


def test_a_machine_drifts(cluster, machine):
    cluster.region.faults.set(always(Fault.DRIFT))
    spec = machine()

    cluster.compute.create(spec)

    assert cluster.compute.observe(spec.uid).drift(spec) == {"power"}
    cluster.region.faults.clear()
    assert cluster.compute.update(spec).power is PowerState.RUNNING


def test_a_machine_is_renamed_behind_our_back(cluster, machine):
    cluster.region.faults.set(always(Fault.RENAME))
    spec = machine()

    cluster.compute.create(spec)

    assert cluster.compute.observe(spec.uid).drift(spec) == {"name"}


def test_foreign_objects_appear_and_are_not_ours(cluster, machine):
    cluster.region.faults.set(always(Fault.FOREIGN))
    spec = machine()

    cluster.compute.create(spec)

    assert [status.uid for status in cluster.compute.list()] == [spec.uid]
    owners = {thing.installation for thing in cluster.region.admin.objects(Kind.MACHINE)}
    assert FOREIGN_INSTALLATION in owners
    assert len(owners) == 2


def test_orphans_appear_and_carry_our_mark(cluster, machine):
    cluster.region.faults.set(always(Fault.ORPHAN))
    spec = machine()

    cluster.compute.create(spec)

    assert len(list(cluster.compute.list())) == 2


def test_reads_fail_only_when_a_rule_names_them(cluster, machine):
    spec = machine()
    cluster.compute.create(spec)

    cluster.region.faults.set(FaultRule(fault=Fault.UNAVAILABLE))
    assert cluster.compute.observe(spec.uid) is not None

    cluster.region.faults.set(FaultRule(fault=Fault.UNAVAILABLE, verb="*"))
    with pytest.raises(TransientError):
        cluster.compute.observe(spec.uid)
    with pytest.raises(TransientError):
        cluster.storage.list()


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE, Fault.LOST_AFTER])
def test_a_read_without_an_answer_is_unreachable(cluster, machine, fault):
    cluster.region.faults.set(always(fault, verb="observe"))

    with pytest.raises(UnreachableError):
        cluster.compute.observe(uuid.uuid4())


def test_a_rule_may_name_one_object(cluster, machine):
    doomed, other = machine(), machine()
    cluster.region.faults.set(FaultRule(fault=Fault.UNAVAILABLE, uid=str(doomed.uid)))

    assert cluster.compute.create(other).uid == other.uid
    with pytest.raises(TransientError):
        cluster.compute.create(doomed)


def test_a_fault_ends_after_its_count(cluster, machine):
    cluster.region.faults.set(always(Fault.UNAVAILABLE, times=3))
    spec = machine()

    for _ in range(3):
        with pytest.raises(TransientError):
            cluster.compute.create(spec)

    assert cluster.compute.create(spec).uid == spec.uid
    [count] = cluster.region.faults.show()
    assert (count.calls, count.hits) == (3, 3)


def test_a_fault_ends_after_its_duration(cluster, machine):
    cluster.region.faults.set(always(Fault.UNAVAILABLE, seconds=3600))
    with pytest.raises(TransientError):
        cluster.compute.create(machine())

    cluster.region.write(lambda transaction: transaction.run("UPDATE fault_rule SET set_at = set_at - 3601"))

    assert cluster.compute.create(machine()).vcpus == 1


def test_every_open_region_obeys_a_change_at_once(cluster, machine):
    other = MockRegion.open(cluster.region.path)

    other.faults.set(always(Fault.UNAVAILABLE))
    with pytest.raises(TransientError):
        cluster.compute.create(machine())
    other.faults.clear()

    assert cluster.compute.create(machine()).vcpus == 1


def refused(cluster, machine, number: int) -> list[int]:
    found = []
    for attempt in range(number):
        try:
            cluster.compute.create(machine())
        except TransientError:
            found.append(attempt)
    return found


def test_a_rate_is_kept_and_a_seed_repeats_it(cluster, machine):
    runs = []
    for seed in (1, 1, 2):
        cluster.region.faults.set(always(Fault.UNAVAILABLE, rate=0.2, seed=seed))
        runs.append(refused(cluster, machine, 300))

    assert runs[0] == runs[1] != runs[2]
    assert all(30 < len(run) < 95 for run in runs)


def test_settings_bring_faults_whose_counts_survive_a_restart(make_cluster, machine):
    chosen = {"faults": ("unavailable@machine.create=0.5",), "seed": 3}
    first = refused(make_cluster(**chosen), machine, 20)
    second = refused(make_cluster(**chosen), machine, 20)

    cluster = make_cluster(**chosen)
    [count] = cluster.region.faults.show()
    assert (count.origin, count.calls, count.hits) == ("settings", 40, len(first) + len(second))
    assert count.rule.seed == 3
    assert make_cluster().region.faults.show() == []


def test_the_first_rule_that_hits_decides(cluster, machine):
    cluster.region.faults.set(always(Fault.UNAVAILABLE, rate=0.0), always(Fault.LOST_BEFORE))
    cluster.region.faults.add(always(Fault.NO_CAPACITY))

    with pytest.raises(UncertainError):
        cluster.compute.create(machine())
    assert [count.calls for count in cluster.region.faults.show()] == [1, 1, 0]


def test_a_slow_read_still_succeeds(cluster):
    cluster.region.faults.set(always(Fault.SLOW, verb="observe", delay_seconds=0.01))

    assert cluster.compute.observe(uuid.uuid4()) is None


def test_a_late_request_that_is_refused_is_only_noted(cluster, machine, caplog):
    cluster.region.faults.set(always(Fault.LATE, verb="update", delay_seconds=0.05))

    with pytest.raises(UncertainError):
        cluster.compute.update(machine())
    for thread in [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]:
        thread.join()

    assert "mock_late_call_failed" in caplog.text


def test_a_region_whose_file_cannot_be_used_is_unreachable(cluster, machine):
    cluster.compute._session.region.close()

    with pytest.raises(UnreachableError, match="read"):
        cluster.compute._session.region.look(lambda transaction: transaction.now)
    with pytest.raises(UnreachableError, match="written"):
        cluster.compute._session.region.write(lambda transaction: transaction.now)


def test_too_many_calls_are_refused_until_there_is_room(make_cluster):
    cluster = make_cluster(calls_per_second=0.5)

    with pytest.raises(ProviderRateLimitedError) as caught:
        [cluster.compute.observe(uuid.uuid4()) for _ in range(100)]

    assert caught.value.retry_after is not None
    assert 0.0 < caught.value.retry_after <= 2.0


# --- rules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("slow", FaultRule(fault=Fault.SLOW)),
        ("lost_after=0.1", FaultRule(fault=Fault.LOST_AFTER, rate=0.1)),
        ("lost_after@create=0.1", FaultRule(fault=Fault.LOST_AFTER, verb="create", rate=0.1)),
        ("vanish@machine.create", FaultRule(fault=Fault.VANISH, kind="machine", verb="create")),
        ("unavailable@*x5", FaultRule(fault=Fault.UNAVAILABLE, verb="*", times=5)),
        ("partial@volume.update=1x2", FaultRule(fault=Fault.PARTIAL, kind="volume", verb="update", times=2)),
        ('{"fault": "slow", "delay_seconds": 9}', FaultRule(fault=Fault.SLOW, delay_seconds=9)),
    ],
)
def test_rules_have_a_short_form(text, rule):
    assert parse_rule(text) == rule


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not of the form"),
        ("explode", "'explode' is not a known fault; choose one of unavailable"),
        ("slow@planet.create", "'planet' must be one of machine"),
        ("slow=2", "between 0 and 1"),
        ("slow=x", "not of the form"),
        ("[]", "not of the form"),
        ("{", "Expecting"),
        ('{"fault": "slow", "verve": 1}', "unknown verve; choose from delay_seconds"),
        ('{"fault": "slow", "rate": "often"}', "wrong type"),
        ('{"verb": "create"}', "is not a known fault"),
    ],
)
def test_an_invalid_rule_says_what_is_wrong(text, problem):
    with pytest.raises(ValueError, match=problem):
        parse_rule(text)


@given(
    st.builds(
        FaultRule,
        fault=st.sampled_from(list(Fault)),
        kind=st.sampled_from(["", *Kind]),
        verb=st.sampled_from(["", "*", "create"]),
        rate=st.floats(0, 1),
        times=st.none() | st.integers(0, 9),
        seed=st.integers(0, 99),
    )
)
def test_a_rule_comes_back_from_json_as_it_was(rule):
    assert parse_rule(rule.to_json()) == rule
    assert json.loads(rule.to_json())["fault"] == rule.fault


def test_a_rate_of_one_always_hits_and_of_zero_never():
    assert all(FaultRule(fault=Fault.SLOW).hits(number) for number in range(1000))
    assert not any(FaultRule(fault=Fault.SLOW, rate=0.0).hits(number) for number in range(1000))


def test_a_rule_without_a_verb_means_every_change():
    rule = FaultRule(fault=Fault.VANISH)

    assert rule.matches(Call(kind=Kind.MACHINE, verb="reboot"), changing=True)
    assert not rule.matches(Call(kind=Kind.MACHINE, verb="list"), changing=False)
    assert not replace(rule, verb="*").matches(Call(kind=Kind.MACHINE, verb="list"), changing=False)
