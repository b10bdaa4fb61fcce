# SPDX-License-Identifier: Apache-2.0
"""Settings: the environment wins, all problems come at once, secrets do not show."""

import dataclasses
import logging
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest

from stratoplane.errors import SettingsError
from stratoplane.settings import NoSettings, Secret, help_of, load, setting


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class Settings:
    url: str = setting(dataclasses.MISSING, help="where it is", env="T_URL")
    port: int = setting(80, help="port number", env="T_PORT")
    share: float = setting(0.5, help="share", env="T_SHARE")
    loud: bool = setting(False, help="whether to shout", env="T_LOUD")
    names: tuple[str, ...] = setting((), help="names", env="T_NAMES")
    colour: Colour = setting(Colour.RED, help="colour", env="T_COLOUR")  # noqa: RUF009
    folder: Path | None = setting(None, help="folder", env="T_FOLDER")  # noqa: RUF009
    password: Secret = setting(Secret(""), help="password", env="T_PASSWORD", secret=True)  # noqa: RUF009
    hidden: str = setting("", help="not settable by the environment")

    def __post_init__(self) -> None:
        if self.port < 1:
            raise ValueError("port: must be at least 1")


def test_defaults_fill_what_nobody_set():
    assert load(Settings, {"url": "x"}, {}) == Settings(url="x")


def test_a_file_sets_every_type():
    table = tomllib.loads(
        'url = "x"\nport = 8\nshare = 1\nloud = true\nnames = ["a", "b"]\n'
        'colour = "blue"\nfolder = "/srv"\npassword = "p"'
    )

    assert load(Settings, table, {}) == Settings(
        url="x",
        port=8,
        share=1.0,
        loud=True,
        names=("a", "b"),
        colour=Colour.BLUE,
        folder=Path("/srv"),
        password=Secret("p"),
    )


def test_the_environment_wins_over_the_file():
    table = {"url": "file", "port": 1, "loud": True, "names": ["file"], "colour": "red", "share": 0.1}
    environment = {
        "T_URL": "environment",
        "T_PORT": "2",
        "T_LOUD": "off",
        "T_NAMES": " a, b,, ",
        "T_COLOUR": "blue",
        "T_SHARE": "0.2",
        "T_FOLDER": "/srv",
        "T_PASSWORD": "p",
        "hidden": "no",
    }

    loaded = load(Settings, table, environment)

    assert (loaded.url, loaded.port, loaded.loud, loaded.names) == ("environment", 2, False, ("a", "b"))
    assert (loaded.colour, loaded.share, loaded.folder, loaded.hidden) == (Colour.BLUE, 0.2, Path("/srv"), "")
    assert isinstance(loaded.password, Secret)


@pytest.mark.parametrize("text", ["1", "true", "YES", "on"])
def test_booleans_have_several_spellings(text):
    assert load(Settings, {"url": "x"}, {"T_LOUD": text}).loud


def test_all_problems_come_at_once_and_name_their_table():
    table = {"prot": 1, "port": "eighty", "share": True, "names": "a", "colour": "green", "folder": 3, "loud": 1}

    with pytest.raises(SettingsError) as caught:
        load(Settings, table, {}, where="[driver.test]")

    problems = caught.value.problems
    assert len(problems) == 8
    assert all(problem.startswith("[driver.test] ") for problem in problems)
    assert {problem.split()[1].rstrip(":") for problem in problems} == {*table, "url"}
    assert all(problem in caught.value.detail for problem in problems)
    assert "[driver.test] colour: 'green' must be one of red, blue" in problems
    assert "[driver.test] url: required; where it is" in problems


@pytest.mark.parametrize(
    ("name", "text"),
    [("T_PORT", "eighty"), ("T_PORT", "8.5"), ("T_LOUD", "maybe"), ("T_COLOUR", "green"), ("T_SHARE", "-")],
)
def test_bad_values_of_the_environment_are_problems(name, text):
    with pytest.raises(SettingsError) as caught:
        load(Settings, {"url": "x"}, {name: text})

    assert len(caught.value.problems) == 1
    assert repr(text) in caught.value.detail


def test_a_rule_of_the_settings_themselves_is_a_problem():
    with pytest.raises(SettingsError, match=r"\[api\] port: must be at least 1"):
        load(Settings, {"url": "x", "port": 0}, {}, where="[api]")


def test_a_secret_is_never_printed(caplog):
    loaded = load(Settings, {"url": "x", "password": "tr0ub4dor"}, {})

    logging.getLogger("test").warning("settings %s %r", loaded, loaded.password)

    assert "tr0ub4dor" not in f"{loaded!r} {loaded} {caplog.text}"
    assert loaded.password == "tr0ub4dor"


def test_a_refused_secret_is_not_repeated():
    with pytest.raises(SettingsError) as caught:
        load(Settings, {"url": "x", "password": ["tr0ub4dor"]}, {})

    assert "tr0ub4dor" not in caught.value.detail


def test_fields_keep_their_help():
    fields = {field.name: help_of(field) for field in dataclasses.fields(Settings)}

    assert (fields["port"].help, fields["port"].env, fields["port"].secret) == ("port number", "T_PORT", False)
    assert fields["password"].secret
    assert dataclasses.fields(NoSettings) == ()


def test_no_settings_refuse_every_key():
    assert load(NoSettings, {}, {}) == NoSettings()
    with pytest.raises(SettingsError, match="known are none"):
        load(NoSettings, {"x": 1}, {})
