# SPDX-License-Identifier: Apache-2.0
"""The worker role: an RQ worker whose every job drains the runnable jobs of the database.

Now and then the worker looks by itself, and every second while Valkey is away: a lost wake-up or an outage costs
delay and nothing else.
"""

import logging
import os
import signal
import socket
import threading
import time
from types import FrameType
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.job import Job

from stratoplane_engine.jobs.queue import QUEUE
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.roles.drainer import Drainer
from stratoplane_engine.roles.logs import configure_logging
from stratoplane_engine.roles.stopping import stop_event
from stratoplane_engine.settings import load_settings
from stratoplane_engine.valkey import connect

_log: Final = logging.getLogger(__name__)
_POLL_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 5.0
# RQ waits 15 seconds less than this for a wake-up before it beats again.
_TIME_TO_LIVE: Final = 20


class _Worker(SimpleWorker):
    """An RQ worker in this process: a forking one would start a process for a few milliseconds of work.

    RQ meets an outage with pauses of up to a minute and by itself. Here the pauses are short, each of them is used to
    drain, and the outage is told once, not at every attempt.
    """

    exponential_backoff_factor = 1
    max_connection_wait_time = _POLL_SECONDS

    def __init__(self, connection: Redis, drainer: Drainer, stop: threading.Event) -> None:
        name = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(2).hex()}"
        super().__init__(
            [Queue(QUEUE, connection=connection)],
            connection=connection,
            name=name,
            job_class=_wake_up_of(drainer),
            worker_ttl=_TIME_TO_LIVE,
        )
        self._drainer = drainer
        self._stop = stop
        self._waits = False
        self._is_away = False
        self._looked_at = time.monotonic()

    def _install_signal_handlers(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop_soon)

    def _stop_soon(self, _number: int, _frame: FrameType | None) -> None:
        """Stop after the work at hand; at once if there is none."""
        self._stop.set()
        self._stop_requested = True
        if self._waits:
            raise StopRequested

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: int | None = None) -> Any:
        """Wait for a wake-up, in the meantime looking by itself."""
        self._waits = True
        try:
            return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)
        finally:
            self._waits = False

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Beat; RQ does it before every wait and every attempt to reach Valkey."""
        if self._stop.is_set():
            raise StopRequested
        try:
            super().heartbeat(timeout, pipeline)
        except RedisError as error:
            if not self._is_away:
                _log.warning("Valkey went away (%s); polling the database every %.0f s", error, _POLL_SECONDS)
            self._is_away = True
            self._look()
            raise
        if self._is_away:
            _log.info("Valkey answers again")
        self._is_away = False
        if self._waits and time.monotonic() - self._looked_at >= _LOOK_SECONDS:
            self._look()

    def _look(self) -> None:
        waited, self._waits = self._waits, False
        self._drainer.drain()
        self._waits, self._looked_at = waited, time.monotonic()


def _wake_up_of(drainer: Drainer) -> type[Job]:
    """Return RQ's class of jobs for a worker; RQ's own imports a function, which could not know the drainer."""

    class WakeUp(Job):
        def perform(self) -> None:
            """Drain: the ids in a wake-up say what it is about; whatever is runnable is claimed in one statement."""
            drainer.drain()

    return WakeUp


def main() -> None:
    """Work until SIGTERM or SIGINT."""
    configure_logging()
    logging.getLogger("rq.worker").addFilter(_is_news)
    settings = load_settings()
    drainer = Drainer(settings)
    stop = stop_event()
    _log.info("worker %s is ready; plugins: %s", drainer.owner, _plugin_states(drainer.plugins))
    while not stop.is_set():
        drainer.drain()
        try:
            _work(settings.redis_url, drainer, stop)
        except (RedisError, OSError) as error:
            _log.warning("Valkey does not answer (%s); polling the database every %.0f s", error, _POLL_SECONDS)
        stop.wait(_POLL_SECONDS)
    drainer.database.close()


def _is_news(record: logging.LogRecord) -> bool:
    return "could not connect to Redis" not in str(record.msg)


def _plugin_states(plugins: Plugins) -> str:
    return ", ".join(f"{each.name} {each.state}" for each in plugins.extensions) or "none"


def _work(redis_url: str, drainer: Drainer, stop: threading.Event) -> None:
    connection = connect(redis_url)
    connection.ping()
    _Worker(connection, drainer, stop).work(logging_level="WARNING", with_scheduler=False)


if __name__ == "__main__":
    main()
