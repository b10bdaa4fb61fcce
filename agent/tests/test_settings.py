# SPDX-License-Identifier: Apache-2.0
"""What an operator may write, and how mistakes are told."""

from pathlib import Path

import pytest

from stratoplane.drivers import Interface
from stratoplane.errors import SettingsError
from stratoplane_agent.settings import is_on_this_host, read


@pytest.fixture
def file(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "agent.toml"
        path.write_text(text)
        return path

    return write


def test_file_and_environment_are_read_and_the_environment_wins(file):
    path = file('name = "one"\ndefault_driver = "mock"\nstorage = "none"\nconcurrency = 3\n[driver.mock]\nhosts = 4\n')
    found = read(path, {"STRATOPLANE_AGENT_NAME": "two", "STRATOPLANE_AGENT_NETWORK": "libvirt"})

    assert (found.agent.agent_name, found.agent.concurrency) == ("two", 3)
    assert found.agent.drivers == {Interface.COMPUTE: "mock", Interface.NETWORK: "libvirt"}
    assert found.tables == {"mock": {"hosts": 4}}


def test_the_environment_names_the_file(file):
    path = file('name = "three"')

    assert read(None, {"STRATOPLANE_AGENT_CONFIG": str(path)}).agent.agent_name == "three"


def test_all_mistakes_are_told_at_once(file):
    path = file('nmae = "x"\nconcurrency = "many"\nlog_format = "xml"')
    with pytest.raises(SettingsError) as caught:
        read(path, {})

    assert [problem.split(":")[0] for problem in caught.value.problems] == ["concurrency", "log_format", "nmae"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('control_plane = "cloud.example"', "is not a URL"),
        ('control_plane = "https://user@cloud.example"', "must not contain a user"),
        ("concurrency = 0", "concurrency: must be at least 1"),
        ("grace_seconds = -1.0", "grace_seconds: must be 0 or more"),
        ("[driver]\nmock = 3", "must be a table"),
        ("driver = [", "agent.toml"),
    ],
)
def test_an_impossible_value_is_refused(file, text, words):
    with pytest.raises(SettingsError, match=words.replace("[", r"\[")):
        read(file(text), {})


def test_a_file_that_was_named_must_exist(tmp_path):
    with pytest.raises(SettingsError, match="no such file"):
        read(tmp_path / "none.toml", {})


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8701", True),
        ("http://[::1]:8701", True),
        ("http://localhost:8701", True),
        ("http://cloud.example:8701", False),
        ("http://10.0.0.1", False),
    ],
)
def test_this_host_is_told_from_others(url, here):
    assert is_on_this_host(url) is here
