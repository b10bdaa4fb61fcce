# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin for `tox run -f isolated`: leave out what starts a server or another process.

All tests are collected, which imports whatever they need; those that are quick then run, too.
"""

from typing import Final

import pytest

_STARTS_PROCESSES: Final = frozenset(
    {
        "postgresql_server",
        "valkey_url",
        # embedded
        "first_data",
        "new_postgresql",
        "valkey",
        # agent and server
        "agent",
        "shared",
        "operator",
        "supervised",
    }
)
"""Fixtures of tests that take long to begin."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that use such a fixture, directly or through another."""
    slow = [item for item in items if not _STARTS_PROCESSES.isdisjoint(getattr(item, "fixturenames", ()))]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]
