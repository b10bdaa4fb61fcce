# SPDX-License-Identifier: Apache-2.0
"""Text for people: tables whose columns line up, ages, sizes, colours of states."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import click

_GAP = "  "
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]")
"""Control characters, and what changes the direction of text, breaks its line or has no width."""
_GIB = 1024
_AGES = ((timedelta(days=2), 86_400, "d"), (timedelta(hours=2), 3_600, "h"), (timedelta(minutes=2), 60, "m"))
_COLORS: Mapping[str, str] = {
    **dict.fromkeys(("RUNNING", "ACTIVE", "SUCCEEDED", "DONE", "ENABLED", "READY", "ok", "yes", "enabled"), "green"),
    **dict.fromkeys(("PENDING", "UPDATING", "DELETING", "RETRYING", "DRAINING"), "yellow"),
    **dict.fromkeys(("FAILED", "LOST", "BROKEN", "DISABLED", "CANCELLED", "broken", "failed", "no"), "red"),
}


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, color: bool) -> str:
    """Return rows under their titles, every column as wide as its widest cell."""
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(titles, *cells, strict=True)]
    heading = _line([click.style(title, bold=True) for title in titles] if color else titles, widths)
    return "\n".join([heading, *(_line([paint(cell) for cell in row] if color else row, widths) for row in cells)])


def details(rows: Iterable[tuple[str, str]], *, color: bool) -> str:
    """Return one object's members below each other, names in a column; values of several lines stay in theirs."""
    shown = [(name, value.split("\n")) for name, value in rows]
    indent = max((width(name) for name, _ in shown), default=0) + len(_GAP)
    lines = []
    for name, values in shown:
        title = click.style(name, bold=True) if color else name
        for place, value in enumerate(map(plain, values)):
            lines.append(_padded("" if place else title, indent) + (paint(value) if color else value))
    return "\n".join(line.rstrip() for line in lines)


def value(json_value: object) -> str:
    """Return any JSON value as people write it: the members of a list one after the other."""
    if json_value is None:
        return "-"
    if isinstance(json_value, bool):
        return "true" if json_value else "false"
    if isinstance(json_value, list | tuple):
        return ", ".join(map(value, json_value)) or "-"
    if isinstance(json_value, Mapping):
        return ", ".join(f"{name}={value(each)}" for name, each in json_value.items()) or "-"
    return str(json_value)


def age(when: datetime | None, now: datetime | None = None) -> str:
    """Return how long ago ``when`` was, as ``5m``."""
    if when is None:
        return "-"
    passed = (now or datetime.now(UTC)) - when
    if passed < timedelta():
        return f"in {age(now or datetime.now(UTC), when)}"
    for least, unit, letter in _AGES:
        if passed >= least:
            return f"{int(passed.total_seconds() // unit)}{letter}"
    return f"{int(passed.total_seconds())}s"


def moment(value: datetime | None) -> str:
    """Return a time as people read it, in their own zone, which it names."""
    return "-" if value is None else f"{value.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def timestamp(value: datetime | None) -> str:
    """Return a time as people read it, with its age."""
    return "-" if value is None else f"{moment(value)} ({age(value)} ago)"


def duration(begun: datetime | None, ended: datetime | None) -> str:
    """Return the seconds from one time to another."""
    return "-" if begun is None or ended is None else f"{(ended - begun).total_seconds():.1f} s"


def memory(mib: int) -> str:
    """Return a size of memory."""
    return f"{mib / _GIB:g} GiB" if mib >= _GIB else f"{mib} MiB"


def labels(found: Mapping[str, str]) -> str:
    """Return labels as ``key=value``, separated by commas."""
    return ",".join(f"{key}={value}" if value else key for key, value in sorted(found.items())) or "-"


def joined(strings: Iterable[str]) -> str:
    """Return strings separated by commas, a hyphen for none."""
    return ", ".join(strings) or "-"


def paint(cell: str) -> str:
    """Return a state in its colour, anything else as it is."""
    color = _COLORS.get(cell)
    return cell if color is None else click.style(cell, fg=color)


def plain(text: str) -> str:
    """Return text with control and direction characters escaped, so that what others wrote is shown as it is.

    It must neither command the terminal nor pass for other text. White space becomes a space.
    """
    return _UNFIT.sub(lambda found: " " if found[0] in "\t\n\r" else ascii(found[0])[1:-1], text)


def width(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in _ANSI.sub("", text)
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(map(_padded, cells, widths)).rstrip()


def _padded(cell: str, wanted: int) -> str:
    return cell + " " * max(0, wanted - width(cell))
