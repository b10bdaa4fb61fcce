# SPDX-License-Identifier: Apache-2.0
"""Clock, randomness and threads of the agent's process, injected so that a simulation can supply its own."""

import queue
import random
import threading
import time
from collections.abc import Callable
from typing import Any, Final


class Host:
    """What the operating system provides; all waiting, clock readings and random numbers go through it.

    Attributes:
        generator: where jitter comes from.
    """

    def __init__(self, generator: random.Random | None = None) -> None:
        self.generator: Final = generator or random.Random()  # noqa: S311  # jitter, not a secret

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic()

    def lock(self) -> threading.Lock:
        return threading.Lock()

    def condition(self) -> threading.Condition:
        return threading.Condition()

    def event(self) -> threading.Event:
        return threading.Event()

    def queue(self) -> "queue.SimpleQueue[Any]":  # each owner declares its items
        return queue.SimpleQueue()

    def thread(self, name: str, target: Callable[[], None]) -> threading.Thread:
        """Return a daemon thread that is not started yet."""
        return threading.Thread(target=target, name=name, daemon=True)


HOST: Final = Host()
"""The host of a real agent process."""
