# SPDX-License-Identifier: Apache-2.0
import json
import os
import subprocess
import sys

import pytest

from stratoplane_server import status_page
from stratoplane_server.health import Health


def processor_seconds(program: list[str]) -> float:
    """Return what the fastest of three runs costs, in seconds of the processor: what else runs here counts little."""

    def once() -> float:
        process = subprocess.Popen(program, stdout=subprocess.DEVNULL)
        _, code, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
        assert process.returncode == 0
        return used.ru_utime + used.ru_stime

    return min(once() for _ in range(3))


def test_help_costs_less_than_half_of_loading_the_engine():
    help_page = processor_seconds([sys.executable, "-m", "stratoplane_server", "--help"])
    engine = processor_seconds([sys.executable, "-c", "import stratoplane_engine.roles.worker"])

    assert help_page < engine / 2


def test_help_loads_nothing_heavy():
    program = (
        "import sys; from stratoplane_server.cli import cli\n"
        "try: cli.main(['up', '--help'], standalone_mode=True)\n"
        "except SystemExit: pass\n"
        "print(*sorted({'sqlalchemy', 'flask', 'redis', 'alembic', 'pluggy'} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""


def test_settings_load_no_database_and_no_gateway():
    program = (
        "import sys, stratoplane_server.settings\n"
        "print(*sorted({'sqlalchemy', 'psycopg', 'flask', 'redis', 'alembic', 'marshmallow'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("arguments", [["--help"], ["run", "-h"], ["plugins", "enable", "--help"]])
def test_help_names_what_there_is(operator, arguments):
    assert "Usage: stratoplane-server" in operator.say(*arguments)


def test_exit_codes_are_documented(operator):
    assert "Exit codes: 0 success, 1 failure" in operator.say("--help")


@pytest.mark.parametrize("arguments", [["fly"], ["run", "everything"], ["create-admin"], ["up", "--what"]])
def test_wrong_usage_exits_with_2(operator, arguments):
    assert "Usage: stratoplane-server" in operator.fail(*arguments, code=2)


def test_each_wrong_setting_is_reported_on_its_own_line(operator):
    said = operator.fail("up", code=2, STRATOPLANE_DATABASE_URL="mysql://x", STRATOPLANE_API_LISTEN="nowhere")
    assert said.splitlines() == [
        "error: api_listen: 'nowhere' is not of the form host:port",
        "error: database_url: must begin with postgresql:// or postgres://",
    ]


def test_commands_say_when_no_platform_is_running(operator):
    assert f"the platform is not running in {operator.folder.path}" in operator.fail("status")
    assert f"the platform is not running in {operator.folder.path}" in operator.fail("run", "api")
    assert "the platform is not running" in operator.say("down")
    assert not operator.folder.path.exists()


def test_an_option_wins_over_the_variable(operator, tmp_path):
    assert f"the platform is not running in {tmp_path}/other" in operator.fail("status", "--state", f"{tmp_path}/other")


def test_a_database_is_prepared_and_verified_without_a_platform(operator, tmp_path):
    assert "run stratoplane-server migrate first" in operator.fail("create-admin", "--username", "early")
    assert "run stratoplane-server migrate first" in operator.fail("audit", "verify")
    assert "the schema is at revision" in operator.say("migrate")
    assert "created administrator early" in operator.say("create-admin", "--username", "early")
    assert operator.say("audit", "verify").startswith("verified: 0 sealed events, 0 checkpoints, root e3b0c442")
    kept = tmp_path / "kept"
    kept.write_text("not a note")
    assert "error: the checkpoint cannot be used: " in operator.fail("audit", "verify", "--checkpoint", str(kept))


def test_an_unreachable_database_is_reported_in_one_line(operator):
    said = operator.fail("migrate", STRATOPLANE_DATABASE_URL="postgresql://me:secret@127.0.0.1:1/nothing")
    assert "does not answer" in said
    assert "secret" not in said
    assert len(said.splitlines()) == 1


def test_plugins_without_a_platform(operator):
    assert "watcher  DISABLED" in operator.say("plugins", "list")
    assert operator.say("plugins", "enable", "watcher") == "watcher is enabled\n"
    assert operator.say("plugins", "disable", "watcher") == "watcher is disabled\n"
    assert "no installed distribution offers a plugin smoke; known are " in operator.fail("plugins", "enable", "smoke")
    fixed = operator.fail("plugins", "enable", "watcher", STRATOPLANE_PLUGINS="")
    assert "set by STRATOPLANE_PLUGINS" in fixed


def test_a_broken_plugin_is_listed_with_its_reason(operator):
    reason = "ModuleNotFoundError: No module named 'absent'"
    assert f"broken is not enabled: it is BROKEN: {reason}" in operator.fail("plugins", "enable", "broken")
    chosen = json.loads(operator.say("plugins", "list", "-o", "json", STRATOPLANE_PLUGINS="broken"))
    listed = {each["name"]: each for each in chosen}
    assert (listed["broken"]["state"], listed["broken"]["reason"]) == ("BROKEN", reason)
    assert listed["watcher"]["state"] == "DISABLED"


def test_a_plugin_that_is_enabled_and_not_installed_is_listed(operator):
    listed = json.loads(operator.say("plugins", "list", "-o", "json", STRATOPLANE_PLUGINS="removed"))
    assert next(each["state"] for each in listed if each["name"] == "removed") == "MISSING"


def test_status_names_no_api_that_it_has_not_looked_at():
    page = status_page.as_table(Health(api_url="http://elsewhere", processes=(), services=(), clusters=()))
    assert "elsewhere" not in page
    assert "no process of the platform was looked at" in page


def test_a_state_folder_that_cannot_be_made(operator, tmp_path):
    (tmp_path / "file").touch()
    assert "cannot be used" in operator.fail("up", "--state", f"{tmp_path}/file/state")
