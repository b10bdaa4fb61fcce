# SPDX-License-Identifier: Apache-2.0
"""Values on the command line: labels, sizes, durations, limits, and what completes names in the shell."""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from stratoplane_client.cli.session import Session
from stratoplane_client.errors import ClientError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_UNITS = {"": 1, "g": 1, "gb": 1, "gib": 1, "t": 1024, "tb": 1024, "tib": 1024}
_MEMORY = {"": 1, "m": 1, "mb": 1, "mib": 1, "g": 1024, "gb": 1024, "gib": 1024}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_MOST_COMPLETIONS = 100


class Amount(click.ParamType[int]):
    """A whole number with a unit, in the unit that the API counts in."""

    def __init__(self, name: str, units: Mapping[str, int], example: str) -> None:
        """Keep the units, each with its factor."""
        self.name = name
        self._units = units
        self._example = example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the amount in the API's unit."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d{1,12}) ?([a-z]*)", str(value).strip().lower())
        if match is None or match[2] not in self._units:
            self.fail(f"{value!r} is not a valid {self.name}; write it as {self._example}", param, ctx)
        return int(match[1]) * self._units[match[2]]


SIZE_GIB = Amount("size", _UNITS, "20, 20GiB or 2TiB")
MEMORY_MIB = Amount("amount of memory", _MEMORY, "512, 512MiB or 4GiB")
DURATION = Amount("duration", _SECONDS, "3600, 90m, 12h or 30d")


class Moment(click.ParamType[str]):
    """A time: ISO 8601, in the caller's zone where it names none, or an age."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the time as the API reads it."""
        from datetime import UTC, datetime, timedelta

        match = re.fullmatch(r"(\d{1,9})([smhdw])", str(value).strip().lower())
        if match is not None:
            return (datetime.now(UTC) - timedelta(seconds=int(match[1]) * _SECONDS[match[2]])).isoformat()
        try:
            return datetime.fromisoformat(str(value)).astimezone(UTC).isoformat()
        except ValueError:
            self.fail(f"{value!r} is not a time; write it as 2026-11-02, 2026-11-02T08:30+01:00 or 2h", param, ctx)


MOMENT = Moment()


class Pair(click.ParamType[Any]):
    """``key=value``."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return key and value."""
        if isinstance(value, tuple):
            return value
        key, sign, rest = str(value).partition("=")
        if not sign or not key:
            self.fail(f"{value!r} is not of the form key=value", param, ctx)
        return key, rest


class IdempotencyKey(click.ParamType[str]):
    """What names one change: characters that a header can hold."""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the key."""
        if re.fullmatch(r"[!#-~]{1,255}", str(value)) is None:
            self.fail(f"{value!r} is not a valid key; use 1 to 255 of letters, digits and signs, no spaces", param, ctx)
        return str(value)


def key_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--idempotency-key`` to a command that changes something."""
    return click.option(
        "--idempotency-key",
        type=IdempotencyKey(),
        metavar="KEY",
        help="Your name for this change: the same command with it again has no second effect.",
    )(function)


class Limit(Pair):
    """``key=limit``, where a limit is a whole number, 0 or more, or ``unlimited``."""

    name = "key=limit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return key and limit; the API's word for no limit is -1, which nobody can type by mistake."""
        key, limit = super().convert(value, param, ctx)
        if limit == "unlimited":
            return key, -1
        if re.fullmatch(r"[0-9]{1,18}", str(limit)) is None:
            self.fail(f"{limit!r} is not a valid limit; use a whole number, 0 or more, or 'unlimited'", param, ctx)
        return key, int(limit)


def label_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--label`` to a command that creates."""
    return click.option("--label", "labels", type=Pair(), multiple=True, help="Label; may be repeated.")(function)


def relabel_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--label`` and ``--remove-label`` to a command that changes."""
    remove = click.option(
        "--remove-label", "removed", metavar="KEY", multiple=True, help="Label to remove; may be repeated."
    )
    add = click.option("--label", "labels", type=Pair(), multiple=True, help="Label to add or change; may be repeated.")
    return add(remove(function))


def relabelled(
    labels: Mapping[str, str], added: Iterable[tuple[str, str]], removed: Iterable[str]
) -> dict[str, str] | None:
    """Return the complete new labels, None if none is added or removed.

    They are complete also if they are the present ones: the same command gives the same request.
    """
    new, gone = dict(added), set(removed)
    if not new and not gone:
        return None
    return {key: value for key, value in {**labels, **new}.items() if key not in gone}


def id_argument(name: str, noun: str, *, many: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the argument that takes the id of what has no name; the command's help says where ids are shown."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        where = f"{noun.replace('-', ' ').capitalize()}s have no names: 'stratoplane {noun} list' shows the ids."
        function.__doc__ = f"{function.__doc__ or ''}\n\n{where}"
        return click.argument(name, metavar="ID..." if many else "ID", nargs=-1 if many else 1, required=True)(function)

    return decorate


def limit_option(default: int | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option ``--limit`` for a list."""
    shown = "all by default" if default is None else f"{default} by default"
    return click.option(
        "--limit",
        "most",
        type=click.IntRange(1),
        default=default,
        metavar="NUMBER",
        help=f"Maximum number of lines; {shown}.",
    )


def timeout_option(seconds: float) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option ``--timeout`` for what waits."""
    return click.option(
        "--timeout",
        type=click.FloatRange(0),
        default=seconds,
        metavar="SECONDS",
        help=f"Maximum number of seconds to wait; {seconds:g} by default.",
    )


def file_text(path: str | None) -> str | None:
    """Return the text of a file, of standard input for ``-``, None for no file; ends of lines stay as they are.

    Raises:
        click.ClickException: it cannot be read.
    """
    from pathlib import Path

    if path is None:
        return None
    try:
        if path == "-":
            return sys.stdin.buffer.read().decode()
        return Path(path).expanduser().read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise click.FileError(path, str(error)) from error


def completing(names: Callable[[Session, str], Iterable[str]]) -> Any:
    """Return what completes names in the shell; when the server cannot tell, nothing is offered."""

    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        session = context.find_object(Session) or Session()
        session.fail_fast = True
        try:
            found = list(islice(names(session, incomplete), _MOST_COMPLETIONS))
        except ClientError:
            return []
        return [CompletionItem(name) for name in found if name.startswith(incomplete)]

    return complete
