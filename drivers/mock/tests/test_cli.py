# SPDX-License-Identifier: Apache-2.0
"""The command looks into a region, disturbs it and sets faults."""

import json
import subprocess
import sys
import uuid

import pytest

from stratoplane.errors import UncertainError
from stratoplane.resources import PowerState
from stratoplane.storage import BucketSpec
from stratoplane_mock.cli import default_region, main
from stratoplane_mock.rules import Kind


@pytest.fixture
def command(cluster, capsys):
    """Return a function that runs the command on the test's region and returns its exit code and what it printed."""

    def run(*words: object) -> tuple[int, str]:
        code = main(["--region", str(cluster.region.path), *(str(word) for word in words)])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


@pytest.fixture
def web(cluster, machine, network):
    """Return the specification of a machine that runs, with a card."""
    lan = network()
    cluster.network.create(lan)
    spec = machine(lan)
    cluster.compute.create(spec)
    return spec


def test_show_lists_everything(command, web):
    code, text = command("show")

    assert code == 0
    assert f"machine  {web.uid} web" in text
    assert "addresses=['10.1.0.2']" in text
    assert "2 objects; 1 of 51200 vcpus" in text


def test_show_as_json(command, web):
    code, text = command("show", "machine", "--json")

    document = json.loads(text)
    assert code == 0
    assert [thing["uid"] for thing in document["objects"]] == [str(web.uid)]
    assert document["used"]["vcpus"] == 1


def test_check_compares_the_books(command, cluster, web):
    assert command("check") == (0, "the counters match the objects of the region\n")

    cluster.region.write(lambda transaction: transaction.run("UPDATE host SET vcpus_used = 7 WHERE number = 1"))

    code, text = command("check")
    assert code == 1
    assert "virtual processors of the hosts: 7 by the counter, 1 counted" in text


def test_power_is_switched(command, cluster, web):
    assert command("power-off", web.uid) == (0, "")
    assert cluster.compute.observe(web.uid).power is PowerState.STOPPED

    assert command("power-on", web.uid) == (0, "")
    assert cluster.compute.observe(web.uid).power is PowerState.RUNNING

    assert command("drift", web.uid) == (0, "")
    assert cluster.compute.observe(web.uid).power is PowerState.STOPPED


def test_an_object_is_renamed_hidden_and_removed(command, cluster, web):
    command("rename", web.uid, "other")
    assert cluster.compute.observe(web.uid).name == "other"

    command("hide", web.uid, 3600)
    assert cluster.compute.observe(web.uid) is None
    command("hide", web.uid, 0)
    assert cluster.compute.observe(web.uid) is not None

    command("vanish", web.uid)
    assert cluster.compute.observe(web.uid) is None
    assert command("check")[0] == 0


def test_a_network_vanishes_under_its_machines(command, cluster, web):
    command("vanish", web.interfaces[0].network_uid)

    assert list(cluster.network.list()) == []
    assert cluster.compute.observe(web.uid).addresses == ()
    assert command("check")[0] == 0


def test_a_volume_vanishes_from_its_machine(command, cluster, machine, volume):
    disk = volume()
    cluster.storage.create(disk)
    spec = machine(volume_uids=(disk.uid,))
    cluster.compute.create(spec)

    command("vanish", disk.uid)

    assert cluster.compute.observe(spec.uid).drift(spec) == {"volume_uids"}
    assert command("check")[0] == 0


@pytest.mark.parametrize("kind", list(Kind))
def test_foreign_objects_are_made(command, cluster, web, kind):
    code, text = command("add-foreign", kind, "--count", 2)

    assert code == 0
    uids = {uuid.UUID(line) for line in text.split()}
    assert uids <= {thing.uid for thing in cluster.region.admin.objects(kind)}
    drivers = (cluster.compute, cluster.network, cluster.storage)
    assert not uids & {status.uid for driver in drivers for status in driver.list()}


def test_orphans_carry_the_mark_of_the_first_object(command, cluster, web):
    _, text = command("add-orphan", "volume")

    assert [str(status.uid) for status in cluster.storage.list()] == text.split()


def test_orphans_in_an_empty_region_need_an_owner(command, cluster, context):
    code, text = command("add-orphan", "volume")
    assert (code, "--installation" in text) == (1, True)

    assert command("add-orphan", "volume", "--installation", context.installation_id)[0] == 0
    assert len(list(cluster.storage.list())) == 1


def test_a_bucket_is_filled(command, cluster, project_id):
    spec = BucketSpec(uid=uuid.uuid4(), project_id=project_id, name="logs")
    cluster.storage.create_bucket(spec)

    assert command("fill", spec.uid, 2) == (0, "")
    assert cluster.region.admin.objects(Kind.BUCKET)[0].facts == {"objects": 2}


def test_faults_are_set_shown_and_cleared(command, cluster, machine):
    assert command("faults", "set", "lost_after@machine.create", '{"fault": "slow", "rate": 0.5}') == (0, "")
    assert command("faults", "add", "vanish@volume.create") == (0, "")

    with pytest.raises(UncertainError):
        cluster.compute.create(machine())

    code, text = command("faults", "show")
    assert code == 0
    assert text.startswith('1 of 1 calls: {"fault": "lost_after"')
    assert text.endswith("3 rules\n")
    assert [count["hits"] for count in json.loads(command("faults", "show", "--json")[1])] == [1, 0, 0]
    assert command("faults", "clear") == (0, "")
    assert command("faults", "show") == (0, "0 rules\n")


def test_faults_are_read_from_a_file(command, cluster, tmp_path):
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps([{"fault": "slow"}, "vanish@machine.create=0.1"]))

    assert command("faults", "set", "--file", plan) == (0, "")

    assert [count.rule.fault for count in cluster.region.faults.show()] == ["slow", "vanish"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["vanish", "01a20734-0b28-7018-a1f3-905b2fcca6bb"], "object 01a20734"),
        (["faults", "set", "explode"], "'explode' is not a known fault"),
        (["faults", "set", "--file", "absent.json"], "absent.json"),
    ],
)
def test_what_cannot_be_done_is_reported_in_one_line(command, words, problem):
    code, text = command(*words)

    assert code == 1
    assert problem in text
    assert len(text.splitlines()) == 1


def test_what_fits_another_kind_is_refused(command, web):
    network = web.interfaces[0].network_uid

    assert command("power-off", network)[0] == 1
    assert command("fill", web.uid, 1) == (1, f"{web.uid} is a machine, not a bucket\n")


def test_a_region_that_is_not_there_is_not_made(tmp_path, capsys):
    assert main(["--region", str(tmp_path / "absent.sqlite3"), "show"]) == 2

    assert "does not exist; specify the region" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_region_is_looked_for_where_the_local_agent_keeps_it(tmp_path):
    assert default_region({"STRATOPLANE_MOCK_REGION": "/srv/x"}).as_posix() == "/srv/x"
    assert default_region({"STRATOPLANE_STATE": str(tmp_path)}).parent == tmp_path / "agents/mock/drivers/mock"
    assert default_region({}).parts[0] == ".stratoplane"


def test_it_runs_as_a_module(cluster):
    command = [sys.executable, "-m", "stratoplane_mock", "--region", str(cluster.region.path), "check"]

    answer = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (answer.returncode, answer.stderr) == (0, "")
