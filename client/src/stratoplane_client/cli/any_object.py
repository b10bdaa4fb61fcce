# SPDX-License-Identifier: Apache-2.0
"""Objects by name where the API takes an id and the kind is not said."""

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from stratoplane_client.cli.kinds import BUILTIN, Kind
from stratoplane_client.cli.naming import past_events
from stratoplane_client.cli.plugins import BrokenCommand, command_names, load_command
from stratoplane_client.cli.session import Session
from stratoplane_client.errors import AccessDeniedError, NameAmbiguousError, NameUnknownError


def any_id(session: Session, wanted: str) -> str:
    """Return the id of an object that is given by id, by name, or by noun and name such as ``vm/web-1``.

    Resources of the project are looked at, the organization's projects and users, then what the project's audit trail
    tells of what is gone.

    Raises:
        NameUnknownError: there is none.
        NameAmbiguousError: there are several.
    """
    from stratoplane_client.reading import is_id

    if is_id(wanted):
        return wanted
    noun, slash, name = wanted.rpartition("/")
    found = {each: label for each, label in _present(session, noun, name) if each}
    if not found:
        events = past_events(session)
        gone = (each.subject_id for each in events if each.subject_name == name and not slash)
        found = dict.fromkeys(islice(filter(None, gone), 1), "")
    if not found:
        raise NameUnknownError(noun or "object", name)
    if len(found) > 1:
        raise NameAmbiguousError("object", name, [f"{each} ({label})" for each, label in found.items()])
    return next(iter(found))


def _present(session: Session, noun: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield id and noun of everything that has a name."""
    kinds = [each for each in every_kind() if noun in {"", each.noun}]
    if kinds and re.fullmatch("[a-z0-9-]{1,63}", name):
        for kind in kinds:
            yield from (
                (each.id, kind.noun) for each in kind.calls(session).list(name_contains=name) if each.name == name
            )
    nouns: dict[str, Any] = {"project": session.client.projects, "user": session.client.users}
    for other, calls in nouns.items():
        with suppress(AccessDeniedError):
            if noun in {"", other}:
                yield from ((each.id, other) for each in calls.list() if each.name == name)


def every_kind() -> tuple[Kind, ...]:
    """Return the kinds that the command knows, those of plugins among them."""
    loaded = [load_command(name) for name in sorted(command_names())]
    return (*BUILTIN, *(each.kind for each in loaded if each is not None and not isinstance(each, BrokenCommand)))
