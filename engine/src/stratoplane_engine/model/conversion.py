# SPDX-License-Identifier: Apache-2.0
"""Values made of documents, by msgspec.

What msgspec knows of a class it finds out at first use and keeps with the class, in several steps. A second thread
that meets a class between two steps ends the process (SIGSEGV), as when many requests come to a process at its start.
So one thread at a time finds out, and nobody uses a class before.
"""

import functools
import threading
from types import GenericAlias
from typing import Final, TypeVar

import msgspec

ValueT = TypeVar("ValueT")

_known: Final[set[object]] = set()
_lock: Final = threading.Lock()


def convert(document: object, wanted: type[ValueT]) -> ValueT:
    """Make a value of ``wanted`` from a row or a JSON value; members that it does not know are ignored.

    Raises:
        msgspec.ValidationError: the document is none of ``wanted``; another version of the platform wrote it.
    """
    _know(wanted)
    return msgspec.convert(document, wanted)


def convert_all(documents: object, wanted: type[ValueT]) -> list[ValueT]:
    """Make values from rows or JSON values. Raises as :func:`convert`."""
    _know(wanted)
    made: list[ValueT] = msgspec.convert(documents, GenericAlias(list, (wanted,)))
    return made


@functools.cache
def decoder_of(wanted: type[ValueT]) -> msgspec.json.Decoder[list[ValueT]]:
    """Return what reads the text of a JSON array of ``wanted``."""
    _know(wanted)
    return msgspec.json.Decoder(GenericAlias(list, (wanted,)))


def _know(wanted: object) -> None:
    if wanted in _known:
        return
    with _lock:
        msgspec.json.Decoder(wanted)
        _known.add(wanted)
