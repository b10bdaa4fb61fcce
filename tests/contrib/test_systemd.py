# SPDX-License-Identifier: Apache-2.0
"""The systemd units are ones that systemd accepts, and start what the server and the agent really have."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stratoplane_agent import settings as agent_settings
from stratoplane_server.roles import Role
from tests.contrib.programs import require

INSTALLED = "/opt/stratoplane/bin"
EXPOSURE = 2.0
"""What ``systemd-analyze security`` may say at most, from 0 (no exposure) to 10."""


@pytest.fixture(scope="module")
def units(contrib: Path) -> list[Path]:
    found = sorted([*contrib.glob("systemd/*.service"), *contrib.glob("systemd/*.target")])
    assert len(found) >= 6
    return found


def settings_of(path: Path) -> list[tuple[str, str]]:
    """Return the settings of a unit in their order; a name may come several times."""
    return re.findall(r"^([A-Za-z]+)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_systemd_accepts_every_unit(units: list[Path], tmp_path: Path) -> None:
    analyze = require("systemd-analyze", "systemd")
    for unit in units:
        text = unit.read_text(encoding="utf-8").replace(INSTALLED, str(Path(sys.executable).parent))
        (tmp_path / unit.name).write_text(text, encoding="utf-8")

    command = [analyze, "verify", "--man=no", *(str(tmp_path / unit.name) for unit in units)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)

    said = [line for line in answer.stderr.splitlines() if "/systemd/" not in line]  # units of the system itself
    assert (answer.returncode, said) == (0, [])


def test_systemd_would_refuse_a_setting_that_it_does_not_know(units: list[Path], tmp_path: Path) -> None:
    unit = next(unit for unit in units if unit.suffix == ".service")
    broken = tmp_path / unit.name
    broken.write_text(unit.read_text(encoding="utf-8").replace("[Service]", "[Service]\nProtectEverything=yes"))

    answer = subprocess.run(
        [require("systemd-analyze", "systemd"), "verify", "--man=no", str(broken)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "ProtectEverything" in answer.stderr


def test_every_service_is_closed_as_far_as_it_can_be(units: list[Path]) -> None:
    analyze = require("systemd-analyze", "systemd")
    for unit in units:
        if unit.suffix != ".service":
            continue
        answer = subprocess.run(
            [analyze, "security", "--offline=yes", "--no-pager", str(unit)], capture_output=True, text=True, check=False
        )
        exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", answer.stdout)
        assert exposure, answer.stderr
        assert float(exposure[1]) <= EXPOSURE, unit.name


def test_every_role_has_a_unit_that_starts_it(units: list[Path]) -> None:
    started = [
        tuple(value.split()) for unit in units for name, value in settings_of(unit) if name.startswith("ExecStart")
    ]

    server = f"{INSTALLED}/stratoplane-server"
    assert sorted(started) == sorted(
        [*((server, "run", role.value) for role in Role), (f"{INSTALLED}/stratoplane-agent", "run")]
    )


def test_the_target_takes_every_role_with_it(units: list[Path]) -> None:
    roles = [unit for unit in units if unit.suffix == ".service" and unit.stem != "stratoplane-agent"]

    assert [unit.name for unit in roles if ("WantedBy", "stratoplane.target") not in settings_of(unit)] == []
    assert [unit.name for unit in roles if ("PartOf", "stratoplane.target") not in settings_of(unit)] == []


@pytest.mark.parametrize("name", ["systemd/stratoplane.env", "pgbouncer/pooler.env"])
def test_every_variable_of_the_environment_is_a_setting(name: str, contrib: Path, known_variables: set[str]) -> None:
    text = (contrib / name).read_text(encoding="utf-8")
    named = re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE)

    assert named
    assert [variable for variable in named if variable not in known_variables] == []


def test_the_agents_file_is_read_by_the_agent(contrib: Path, tmp_path: Path) -> None:
    copy = shutil.copy(contrib / "systemd/agent.toml", tmp_path)

    configuration = agent_settings.read(Path(copy), {})

    assert set(configuration.agent.drivers.values()) == set(configuration.tables) == {"libvirt"}


def test_a_drop_in_leads_to_the_pooler(contrib: Path) -> None:
    assert settings_of(contrib / "systemd/pooler.conf") == [("EnvironmentFile", "/etc/stratoplane/pooler.env")]
