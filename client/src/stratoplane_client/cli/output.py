# SPDX-License-Identifier: Apache-2.0
"""Printing records as the caller asked: a table, JSON, YAML, names."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.session import Session

if TYPE_CHECKING:
    from stratoplane_client.decode import Record


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its title, and what a record shows in it."""

    title: str
    cell: Callable[[Any], str]


Details = Callable[[Any], Iterable[tuple[str, str]]]


def show_many(session: Session, records: Iterable["Record"], columns: Sequence[Column], *, nothing: str) -> None:
    """Print a list; for people, ``nothing`` says that it is empty."""
    found = list(records)
    if session.machine_readable:
        document(session, [each.raw for each in found])
    elif session.output == "name":
        for each in found:
            click.echo(name_of(each))
    elif found:
        rows = [[column.cell(each) for column in columns] for each in found]
        click.echo(tables.table([column.title for column in columns], rows, color=session.color), color=session.color)
    else:
        click.echo(nothing, err=True)


def show_one(session: Session, record: "Record", details: Details) -> None:
    """Print one object."""
    if session.machine_readable:
        document(session, record.raw)
    elif session.output == "name":
        click.echo(name_of(record))
    else:
        click.echo(tables.details(details(record), color=session.color), color=session.color)


def show_done(session: Session, record: "Record", message: str) -> None:
    """Print what a change came to: for people one line, for programs the object."""
    if session.machine_readable:
        document(session, record.raw)
    elif session.output == "name":
        click.echo(name_of(record))
    else:
        click.echo(tables.plain(message))


def show_message(session: Session, message: str) -> None:
    """Print that something is done which leaves nothing to show; programs read the exit code."""
    if session.output == "table":
        click.echo(tables.plain(message))


def document(session: Session, value: Any) -> None:
    """Print a value as JSON or YAML."""
    if session.output == "yaml":
        import yaml

        text = yaml.safe_dump(_plain(value), sort_keys=False, allow_unicode=True, default_flow_style=False, width=1000)
        click.echo(text, nl=False)
    else:
        import json

        click.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def name_of(record: Any) -> str:
    """Return what names a record on the command line: its name, or its id if it has none."""
    return tables.plain(str(getattr(record, "name", "") or getattr(record, "id", "")))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
