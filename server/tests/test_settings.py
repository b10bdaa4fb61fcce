# SPDX-License-Identifier: Apache-2.0
import dataclasses
from pathlib import Path

import pytest

from stratoplane.errors import SettingsError
from stratoplane.registry import plugin_tables
from stratoplane_engine.plugins import Plugins
from stratoplane_server import config_page
from stratoplane_server.settings import ServerSettings, read

KNOWN = ", ".join(field.name for field in dataclasses.fields(ServerSettings))


@pytest.fixture
def file(tmp_path):
    def write(text: str) -> dict[str, str]:
        (tmp_path / "stratoplane.toml").write_text(text)
        return {"STRATOPLANE_CONFIG": str(tmp_path / "stratoplane.toml")}

    return write


def problems_of(environment: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(environment)
    return sorted(caught.value.problems)


def test_every_setting_has_a_default():
    settings = read({}).server
    assert settings.state == Path.cwd() / ".stratoplane"
    assert (settings.api_url, settings.agent_url) == ("http://127.0.0.1:8700", "http://127.0.0.1:8701")
    assert settings.plugins is None


def test_the_environment_wins_over_the_file(file):
    environment = file('[server]\napi_listen = "127.0.0.1:1"\nagent_listen = "127.0.0.1:2"\n')
    settings = read({**environment, "STRATOPLANE_API_LISTEN": "127.0.0.1:3"}).server
    assert (settings.api_listen, settings.agent_listen) == ("127.0.0.1:3", "127.0.0.1:2")


def test_tables_of_other_roles_become_their_environment(file):
    environment = file("[api]\npool_size = 3\n[engine]\nsweep_seconds = 1.5\n")
    assert read(environment).variables == {"STRATOPLANE_API_POOL_SIZE": "3", "STRATOPLANE_SWEEP_SECONDS": "1.5"}


def test_all_problems_of_all_tables_are_said_at_once(file):
    environment = file("""
        [server]
        stat = "typo"
        workers = "two"
        [api]
        pool_size = 0
        [engine]
        database_url = "postgresql://elsewhere"
        [agents]
    """)
    assert problems_of(environment) == [
        "[agents]: unknown table; known are server, api, engine, plugins",
        "[engine] database_url: belongs in [server]",
        f"[server] stat: unknown setting; known are {KNOWN}",
        "[server] workers: must be of type int, not str",
        "pool_size: must be at least 1",
    ]


def test_the_tables_of_plugins_reach_the_roles(file):
    variables = read(file('[plugins.webhook]\nurls = ["https://a.example"]\nallow_http = true\n')).variables
    assert plugin_tables(variables) == {"webhook": {"urls": ["https://a.example"], "allow_http": True}}


def test_a_role_loads_a_plugin_with_the_settings_of_the_file(file, monkeypatch):
    key = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    environment = file(f'[plugins.webhook]\nurls = ["https://a.example"]\nsecret = "{key}"\n')
    for name, value in read(environment).variables.items():
        monkeypatch.setenv(name, value)
    found = {each.name: each for each in Plugins.load(["webhook"]).extensions}
    assert (found["webhook"].state, found["webhook"].reason) == ("LOADED", "")


def test_a_table_of_no_plugin_is_refused(file):
    assert problems_of(file("[plugins]\nwebhook = 1\n[plugins.webhok]\n")) == [
        "[plugins.webhok]: no installed distribution offers this plugin",
        "[plugins] webhook: belongs in a table such as [plugins.webhook]",
    ]


def test_settings_that_contradict_each_other_are_refused_with_both_names(file):
    environment = {**file("[engine]\nagent_lost_seconds = 10\n"), "STRATOPLANE_API_INVENTORY_SECONDS": "20"}
    assert problems_of(environment) == [
        "[engine] agent_lost_seconds (10) must not be below [api] inventory_seconds (20)"
    ]


def test_every_setting_is_shown_with_where_it_came_from_and_no_secret(file):
    environment = {
        **file('[server]\nworkers = 3\n[plugins.webhook]\nurls = ["https://a.example"]\nsecret = "whsec_hidden"\n'),
        "STRATOPLANE_REDIS_URL": "redis://:hidden@cache:6379/0",
        "STRATOPLANE_SWEEP_SECONDS": "2",
    }
    shown = {(each.table, each.name): each for each in config_page.shown(read(environment), environment)}
    assert "hidden" not in str(shown)
    assert (shown["server", "workers"].value, shown["server", "workers"].source) == (
        "3",
        environment["STRATOPLANE_CONFIG"],
    )
    assert shown["engine", "sweep_seconds"].source == "STRATOPLANE_SWEEP_SECONDS"
    assert shown["server", "redis_url"].value == "redis://***@cache:6379/0"
    assert shown["plugins.webhook", "urls"].value == "https://a.example"
    assert shown["plugins.webhook", "secret"].value == "***"
    assert shown["api", "pool_size"].source == "default"
    assert ("engine", "database_url") not in shown


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"STRATOPLANE_API_LISTEN": "8700"}, "api_listen: '8700' is not of the form host:port"),
        ({"STRATOPLANE_API_LISTEN": "host:99999"}, "api_listen: 'host:99999' is not of the form host:port"),
        ({"STRATOPLANE_API_LISTEN": "127.0.0.1:8701"}, "agent_listen: must differ from api_listen"),
        ({"STRATOPLANE_DATABASE_URL": "mysql://x"}, "database_url: must begin with postgresql:// or postgres://"),
        (
            {"STRATOPLANE_REDIS_URL": "http://x"},
            "redis_url: must begin with redis:// or rediss:// or unix:// or redis+sentinel://",
        ),
        ({"STRATOPLANE_WORKERS": "0"}, "workers: must be at least 1"),
    ],
)
def test_impossible_values_are_refused(variables, problem):
    assert problems_of(variables) == [problem]


@pytest.mark.parametrize(
    ("text", "problem"),
    [("[server", "Expected"), ('state = "here"', "state: belongs in a table"), (b"\xff".decode("latin-1"), "")],
)
def test_an_unreadable_file_is_reported(file, text, problem):
    assert problem in problems_of(file(text))[0]


def test_a_missing_file_is_reported(tmp_path):
    assert "No such file" in problems_of({"STRATOPLANE_CONFIG": str(tmp_path / "absent.toml")})[0]


@pytest.mark.parametrize(
    ("listen", "url"),
    [("0.0.0.0:80", "http://127.0.0.1:80"), ("[::]:80", "http://[::1]:80"), ("10.1.2.3:80", "http://10.1.2.3:80")],
)
def test_clients_on_this_host_get_an_address_that_can_be_called(listen, url):
    assert read({"STRATOPLANE_API_LISTEN": listen}).server.api_url == url
