# SPDX-License-Identifier: Apache-2.0
"""Whether this process is about to stop: what waits in it is woken, and waits no longer."""

import threading
from collections.abc import Callable
from typing import Final

from flask import Flask

_EXTENSION: Final = "stratoplane_draining"


class Draining:
    """The end of a process, from the signal that stops it: what it holds is answered at once, with what is known.

    Works for threads, and for greenlets once gevent has patched.
    """

    def __init__(self, wake: Callable[[], object] | None = None) -> None:
        """Prepare to call ``wake`` when it begins, for what waits for something else than :meth:`wait`."""
        self._event: Final = threading.Event()
        self._wake: Final = wake

    @property
    def begun(self) -> bool:
        """Whether the process is about to stop."""
        return self._event.is_set()

    def begin(self) -> None:
        """Wake all that waits; there is no way back."""
        self._event.set()
        if self._wake is not None:
            self._wake()

    def wait(self, seconds: float) -> bool:
        """Wait for so many seconds or until the process is about to stop; tell whether it is."""
        return self._event.wait(seconds)


def install(app: Flask, draining: Draining) -> None:
    """Let the server of ``app`` find ``draining``."""
    app.extensions[_EXTENSION] = draining


def draining_of(app: Flask) -> Draining:
    """Return the drain of the process that serves ``app``."""
    found: Draining = app.extensions[_EXTENSION]
    return found
