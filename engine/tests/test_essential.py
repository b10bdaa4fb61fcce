# SPDX-License-Identifier: Apache-2.0
"""A process whose essential thread breaks says why and ends, so that it is started again."""

import subprocess
import sys

from stratoplane_engine.roles.essential import BROKEN, start_essential

BREAKS = """
import threading
from stratoplane_engine.roles.essential import start_essential
from stratoplane_engine.roles.logs import configure_logging

def work():
    raise LookupError("nobody expected this")

configure_logging()
start_essential(work, "of-a-test")
threading.Event().wait()
"""


def test_a_thread_that_breaks_ends_its_process_with_an_error() -> None:
    ended = subprocess.run([sys.executable, "-c", BREAKS], capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == BROKEN
    written = ended.stdout + ended.stderr
    assert "of-a-test" in written
    assert "nobody expected this" in written


def test_a_thread_that_is_done_ends_alone() -> None:
    done = list[int]()
    start_essential(lambda: done.append(1), "of-a-test").join()
    assert done == [1]
