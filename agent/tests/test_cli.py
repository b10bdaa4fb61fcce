# SPDX-License-Identifier: Apache-2.0
"""The command as an operator uses it."""

import json
import stat

import pytest


def test_an_agent_is_enrolled_once(agent, control_plane, tmp_path):
    token = tmp_path / "token"
    token.write_text(f"{control_plane.token()}\n")
    first = agent.command("enrol", "--token-file", str(token), "--name", "rack-7", STRATOPLANE_AGENT_JOIN_TOKEN="")
    file = agent.state / "credential.json"
    mode, kept = stat.S_IMODE(file.stat().st_mode), json.loads(file.read_text())
    again = agent.command("enrol", "--token-file", str(token))

    assert first.returncode == 0, first.stderr
    assert "of cluster lab" in first.stdout
    assert kept["key"] not in first.stdout + first.stderr
    assert (mode, stat.S_IMODE(agent.state.stat().st_mode)) == (0o600, 0o700)
    assert kept["control_plane"] == control_plane.url
    assert again.returncode == 1
    assert "already enrolled" in again.stderr


def test_a_used_token_is_refused_in_one_line(agent):
    agent.command("enrol")
    second = agent.command("enrol", "--replace")

    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert "the join token is unknown, used or expired" in second.stderr


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"STRATOPLANE_AGENT_CONTROL_PLANE": ""}, "specify the control plane's URL"),
        ({"STRATOPLANE_AGENT_JOIN_TOKEN": ""}, "specify the join token"),
        ({"STRATOPLANE_AGENT_CONTROL_PLANE": "http://cloud.example:8701"}, "not encrypted"),
        ({"STRATOPLANE_AGENT_CONTROL_PLANE": "http://127.0.0.1:1"}, "no answer from http://127.0.0.1:1"),
        ({"STRATOPLANE_AGENT_CONTROL_PLANE": "cloud"}, "control_plane"),
    ],
)
def test_enrolment_says_what_is_missing(agent, variables, words):
    answer = agent.command("enrol", **variables)

    assert answer.returncode in (1, 2)
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_token_is_not_spent_when_the_state_folder_cannot_be_written(agent, control_plane):
    agent.state.write_text("a file where the folder should be")
    answer = agent.command("enrol")

    assert answer.returncode == 1
    assert control_plane.join_tokens == {"token-1": "lab"}


def test_running_needs_a_driver_and_a_credential(agent):
    without_driver = agent.command("run", STRATOPLANE_AGENT_DRIVER="")
    without_credential = agent.command("run", STRATOPLANE_AGENT_JOIN_TOKEN="")

    assert (without_driver.returncode, without_credential.returncode) == (2, 1)
    assert "no driver is configured" in without_driver.stderr
    assert "run `stratoplane-agent enrol`" in without_credential.stderr


def test_a_credential_that_others_can_read_is_not_used(agent):
    agent.command("enrol")
    (agent.state / "credential.json").chmod(0o644)
    answer = agent.command("run")

    assert answer.returncode == 1
    assert "chmod 600" in answer.stderr


def test_a_running_agent_shows_how_it_stands(agent, control_plane, machine):
    agent.start()
    spec = machine()
    control_plane.result(control_plane.queue("virtual_machine", "create", spec.uid, spec))
    status = agent.command("status")
    drivers = agent.command("drivers", "-o", "json")
    agent.terminate()
    after = agent.command("status")

    assert status.returncode == 0, status.stdout
    assert f"yes, process {agent.process.pid}" in status.stdout
    assert "connected" in status.stdout
    assert "not for production" in status.stdout
    assert {each["status"] for each in json.loads(drivers.stdout)} == {"READY"}
    assert after.returncode == 1
    assert "running:            no" in after.stdout


def test_drivers_are_tried_without_a_running_agent(agent, tmp_path):
    config = tmp_path / "agent.toml"
    config.write_text('compute = "unfinished"\nnetwork = "absent"\nstorage = "lab"\n[driver.lab]\ngreting = "x"\n')
    answer = agent.command("--config", str(config), "drivers", "-o", "json", STRATOPLANE_AGENT_DRIVER="")
    found = {each["interface"]: each for each in json.loads(answer.stdout)}

    assert answer.returncode == 1
    assert {each["status"] for each in found.values()} == {"BROKEN"}
    assert "does not implement" in found["compute"]["reason"]
    assert "no installed distribution offers it" in found["network"]["reason"]
    assert "[driver.lab] greting: unknown setting" in found["storage"]["reason"]


def test_a_driver_that_is_misconfigured_is_shown_with_its_reason(agent):
    agent.allow("misconfigured")
    answer = agent.command("drivers")

    assert answer.returncode == 1
    assert "compute: the lab is misconfigured" in answer.stdout


def test_wrong_settings_are_told_line_by_line(agent):
    answer = agent.command("status", STRATOPLANE_AGENT_CONCURRENCY="0", STRATOPLANE_AGENT_LOG_FORMAT="xml")

    assert answer.returncode == 2
    assert "log_format" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_an_agent_waits_for_a_control_plane_that_starts_later(agent, control_plane):
    control_plane.stop()
    agent.start()
    agent.wait_for_line("enrolment_waits")
    control_plane.start()
    agent.wait_for_line('"connected"')
    text = agent.log.read_text()

    assert "token-1" not in text
    assert json.loads((agent.state / "credential.json").read_text())["key"] not in text
