# SPDX-License-Identifier: Apache-2.0
"""What gunicorn calls in the roles that listen, see ``--config`` in :mod:`stratoplane_server.roles`."""

import signal
from typing import Protocol

from stratoplane_embedded.processes import end_with


class ForkedWorker(Protocol):
    """What is needed of gunicorn's worker: the process that forked it."""

    ppid: int


def post_fork(_arbiter: object, worker: ForkedWorker) -> None:
    """End the worker with its parent: it holds the socket that the next parent must bind."""
    end_with(worker.ppid, signal.SIGKILL)
