# SPDX-License-Identifier: Apache-2.0
"""How every test of the tree runs: the examples of property tests, and which files share a worker of pytest-xdist."""

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # it ships no annotations

# Their files share what takes seconds to start: a whole platform.
_ONE_WORKER = ("tests/end_to_end/", "server/tests/")

with suppress(ImportError):
    from hypothesis import HealthCheck, settings

    # How long one example takes says nothing on a machine that does other things too.
    _calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    # `make test` proves the same today and tomorrow; `make test-long` looks for what nobody has seen yet.
    settings.register_profile("fast", _calm, max_examples=40, derandomize=True)
    settings.register_profile("thorough", _calm, max_examples=1000, print_blob=True)
    settings.load_profile("fast")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> "LoadFileScheduling | None":
    """Give the files that share a platform to one worker."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415  # an optional tool

    class Scheduling(LoadFileScheduling):  # type: ignore[misc]  # it ships no annotations
        def _split_scope(self, nodeid: str) -> str:
            shared = next((folder for folder in _ONE_WORKER if nodeid.startswith(folder)), None)
            return shared or super()._split_scope(nodeid)

    return Scheduling(config, log)
