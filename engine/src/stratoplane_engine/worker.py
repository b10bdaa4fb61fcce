# SPDX-License-Identifier: Apache-2.0
"""The worker role: an RQ worker whose every job drains the runnable jobs of the database.

While Valkey is away the worker polls the database itself, so that an outage costs delay and nothing else.
"""

import logging
import os
import socket
import threading
from typing import Any, Final

from redis.exceptions import RedisError
from rq import Queue, SimpleWorker

from stratoplane.settings import load
from stratoplane_engine.drainer import serve
from stratoplane_engine.logs import configure_logging
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.settings import EngineSettings
from stratoplane_engine.stopping import stop_event
from stratoplane_engine.wakeups import QUEUE, connect

_log: Final = logging.getLogger(__name__)
_POLL_SECONDS: Final = 1.0


class _Worker(SimpleWorker):
    """An RQ worker in this process: a forking one would start a process for a few milliseconds of work."""

    def _install_signal_handlers(self) -> None:
        """Leave the signals to the role, which stops this worker by its own flag."""


def main() -> None:
    """Work until SIGTERM or SIGINT."""
    configure_logging()
    settings = load(EngineSettings, {}, os.environ)
    drainer = serve(settings)
    stop = stop_event()
    _log.info("worker %s is ready; plugins: %s", drainer.owner, _plugin_words(drainer.plugins))
    drainer.drain()
    while not stop.is_set():
        try:
            _work(settings.redis_url, stop)
        except (RedisError, OSError) as error:
            _log.warning("Valkey does not answer (%s); polling the database every %.0f s", error, _POLL_SECONDS)
            drainer.drain()
            stop.wait(_POLL_SECONDS)
    drainer.database.close()


def _plugin_words(plugins: Plugins) -> str:
    return ", ".join(f"{each.name} {each.state}" for each in plugins.extensions) or "none"


def _work(redis_url: str, stop: threading.Event) -> None:
    connection = connect(redis_url)
    connection.ping()
    queue = Queue(QUEUE, connection=connection)
    worker = _Worker([queue], connection=connection, name=f"{socket.gethostname()}-{os.getpid()}-{os.urandom(2).hex()}")
    watcher = threading.Thread(target=_stop_worker, args=(stop, worker), daemon=True)
    watcher.start()
    worker.work(logging_level="WARNING", with_scheduler=False)


def _stop_worker(stop: threading.Event, worker: Any) -> None:
    stop.wait()
    worker._stop_requested = True  # noqa: SLF001  # RQ offers no public way to stop a worker of one's own process


if __name__ == "__main__":
    main()
