# SPDX-License-Identifier: Apache-2.0
"""Types of the fixtures that are functions."""

from collections.abc import Callable
from typing import Any, Protocol

from stratoplane_client import Client

Later = Callable[[Callable[[], Any]], None]
"""Runs a function in a thread; the test ends after it."""


class Connect(Protocol):
    """Returns a client that is logged in, or not if ``username`` is None; it does not sleep."""

    def __call__(self, username: str | None = "alice", **options: Any) -> Client:
        """Return the client."""
