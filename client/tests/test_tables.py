# SPDX-License-Identifier: Apache-2.0
"""Text for people: columns, ages, sizes."""

from datetime import UTC, datetime, timedelta

import pytest

from stratoplane_client.cli import tables
from stratoplane_client.cli.kinds import leading_rows
from stratoplane_client.models.resources import FieldDifference, Volume

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(seconds=59), "59s"),
        (timedelta(seconds=119), "119s"),
        (timedelta(minutes=2), "2m"),
        (timedelta(minutes=119), "119m"),
        (timedelta(hours=2), "2h"),
        (timedelta(hours=47), "47h"),
        (timedelta(days=2), "2d"),
        (timedelta(days=400), "400d"),
        (-timedelta(minutes=30), "in 30m"),
    ],
)
def test_ages(passed: timedelta, text: str) -> None:
    assert tables.age(NOW - passed, NOW) == text


def test_an_unknown_age() -> None:
    assert tables.age(None) == tables.timestamp(None) == tables.duration(None, NOW) == "-"


@pytest.mark.parametrize(("mib", "text"), [(256, "256 MiB"), (1024, "1 GiB"), (1536, "1.5 GiB"), (262_144, "256 GiB")])
def test_memory(mib: int, text: str) -> None:
    assert tables.memory(mib) == text


def test_columns_line_up_for_every_script() -> None:
    shown = tables.table(("NAME", "CITY"), [("東京都", "Tōkyō"), ("o\u0301", "x"), ("plain", "y")], color=False)

    assert shown.splitlines() == ["NAME    CITY", "東京都  Tōkyō", "o\u0301       x", "plain   y"]


def test_details_keep_several_lines_in_their_column() -> None:
    shown = tables.details([("Name", "web-1"), ("Networks", "a\nb"), ("Empty", "")], color=False)

    assert shown.splitlines() == ["Name      web-1", "Networks  a", "          b", "Empty"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb\x07", "a\\x1b[2Jb\\x07"),
        ("a\x9bm\x85\x7f", "a\\x9bm\\x85\\x7f"),
        ("web\u202egnp.exe", "web\\u202egnp.exe"),
        ("a\u2066b\u2069\u200b\u2028\u2029\ufeff", "a\\u2066b\\u2069\\u200b\\u2028\\u2029\\ufeff"),
        ("two\nlines\tand\r", "two lines and "),
        (
            "T\u014dky\u014d \u0646\u0627\u0645\u200c\u0647\u0627 \U0001f469\u200d\U0001f680",
            "T\u014dky\u014d \u0646\u0627\u0645\u200c\u0647\u0627 \U0001f469\u200d\U0001f680",
        ),
    ],
)
def test_what_others_wrote_neither_commands_a_terminal_nor_passes_for_other_text(text: str, shown: str) -> None:
    assert tables.plain(text) == shown
    assert tables.table(("NAME",), [(text,)], color=False).splitlines()[1] == shown.rstrip()


def test_labels_and_joined_strings() -> None:
    assert tables.labels({"b": "2", "a": ""}) == "a,b=2"
    assert tables.labels({}) == tables.joined([]) == "-"


@pytest.mark.parametrize(
    ("value", "text"),
    [(["a", "b"], "a, b"), ([], "-"), (None, "-"), (True, "true"), ({"size": [1, 2]}, "size=1, 2"), (7, "7")],
)
def test_a_json_value_is_written_as_people_do(value, text):
    assert tables.value(value) == text


def test_what_is_observed_otherwise_is_written_as_people_do() -> None:
    found = FieldDifference(field="volumes", desired=["a", "b"], observed=[])
    rows = list(leading_rows(Volume(id="1", name="data", status="ACTIVE", differences=(found,))))
    assert ("Observed", "volumes is -; desired is a, b") in rows
