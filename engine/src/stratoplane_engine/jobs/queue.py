# SPDX-License-Identifier: Apache-2.0
"""Wake-ups through RQ. They carry nothing that matters: losing all of them costs one sweep of delay."""

import logging
from typing import Final
from uuid import UUID

from redis.exceptions import RedisError
from rq import Queue

from stratoplane.errors import UnavailableError
from stratoplane_engine.valkey import connect, disconnect

_log: Final = logging.getLogger(__name__)
QUEUE: Final = "stratoplane"
DRAIN: Final = "stratoplane_engine.jobs.worker_loop.drain"
"""What a wake-up asks for; the worker's own drain answers it, so the name is for people."""
_FORGET_SECONDS: Final = 60


class WorkerNotifier:
    """The sending side of the queue.

    Args:
        redis_url: Valkey or Redis, as :func:`stratoplane_engine.valkey.connect` takes it.
    """

    def __init__(self, redis_url: str) -> None:
        self._queue: Final = Queue(QUEUE, connection=connect(redis_url))

    def send(self, job_ids: list[UUID]) -> None:
        """Tell the workers to look; one RQ job for all of the ids, since a worker drains.

        A wake-up that still waits in the queue will see these jobs too, so no second one is sent.

        Raises:
            UnavailableError: Valkey does not answer; the workers look by themselves meanwhile.
        """
        try:
            if self._queue.count:
                return
            self._queue.enqueue(
                DRAIN, [str(each) for each in job_ids], result_ttl=0, failure_ttl=_FORGET_SECONDS, job_timeout=600
            )
        except RedisError as error:
            raise UnavailableError(f"Valkey does not answer ({error}); workers poll the database meanwhile") from error

    def close(self) -> None:
        """Close the sockets to Valkey."""
        disconnect(self._queue.connection)
