# SPDX-License-Identifier: Apache-2.0
"""Commands for kinds of resources that other distributions add.

A distribution names its commands in the entry point group ``stratoplane.client_kinds``: the name of an entry is the
noun, its value is a :class:`.verbs.KindCommand`. Nothing is searched for while a command of this package is used, and
:mod:`importlib.metadata`, which is slow to load, is not loaded unless some distribution has the group.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from stratoplane_client.cli.verbs import KindCommand

GROUP = "stratoplane.client_kinds"
_METADATA = (".dist-info", ".egg-info")


@dataclass(frozen=True, slots=True)
class BrokenCommand:
    """A command that cannot be used, and why, in one line."""

    reason: str


def command_names() -> frozenset[str]:
    """Return the nouns that other distributions add, without loading them."""
    return frozenset(_entry_points(tuple(sys.path)))


def load_command(noun: str) -> "KindCommand | BrokenCommand | None":
    """Return the command for a noun, None if no distribution adds it."""
    entry = _entry_points(tuple(sys.path)).get(noun)
    return None if entry is None else _load(entry)


def _load(entry: "EntryPoint") -> "KindCommand | BrokenCommand":
    from stratoplane_client.cli.verbs import KindCommand

    source = f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value
    beginning = f"cannot load the command {entry.name!r} of {source}"
    try:
        command = entry.load()
    # Somebody else's module may fail in any way when it is imported, and the other commands must work all the same.
    except Exception as error:  # noqa: BLE001
        text = " ".join(str(error).split())
        return BrokenCommand(f"{beginning}: {type(error).__name__}: {text}".removesuffix(": "))
    if not isinstance(command, KindCommand):
        return BrokenCommand(f"{beginning}: {entry.value} is not a KindCommand")
    if command.name != entry.name:
        return BrokenCommand(f"{beginning}: its kind is called {command.name!r}")
    return command


@cache
def _entry_points(path: tuple[str, ...]) -> Mapping[str, "EntryPoint"]:
    """Return the entry points of the group by their names; the first on the path counts."""
    if not any(_has_group(folder) for folder in path):
        return {}
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in reversed(tuple(entry_points(group=GROUP)))}


def _has_group(folder: str) -> bool:
    """Tell whether a distribution in this folder of the path may have the group."""
    if os.path.isfile(folder):  # noqa: PTH113  # pathlib is slow to load
        # An archive; only importlib.metadata can look into it.
        return True
    return any(f"[{GROUP}]".encode() in text for text in _entry_point_files(folder or "."))


def _entry_point_files(folder: str) -> Iterator[bytes]:
    try:
        names = [name for name in os.listdir(folder) if name.endswith(_METADATA)]  # noqa: PTH208  # see above
    except OSError:
        return
    for name in names:
        try:
            with open(f"{folder}/{name}/entry_points.txt", "rb") as file:  # noqa: PTH123  # see above
                yield file.read()
        except OSError:
            continue
