# SPDX-License-Identifier: Apache-2.0
"""The scheduler role: relays the outbox at once, sweeps and reconciles by the clock. Several may run."""

import logging
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from stratoplane.errors import UnavailableError
from stratoplane_engine.audit_trail.sealer import seal
from stratoplane_engine.db.changes import OUTBOX_CHANNEL
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.listen import notifications
from stratoplane_engine.drift.reconciler import reconcile_in_turn
from stratoplane_engine.incidents.monitor import run_monitor_round
from stratoplane_engine.incidents.notifier import notify
from stratoplane_engine.jobs.outbox_relay import relay
from stratoplane_engine.jobs.queue import WorkerNotifier
from stratoplane_engine.jobs.sweeper import sweep
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.roles.essential import start_essential
from stratoplane_engine.roles.logs import configure_logging
from stratoplane_engine.roles.starting import open_database
from stratoplane_engine.roles.stopping import stop_event
from stratoplane_engine.services.quota import seed_limits
from stratoplane_engine.settings import load_settings

_log: Final = logging.getLogger(__name__)
_IDLE_SECONDS: Final = 2.0
_NOTIFY_SECONDS: Final = 2.0


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    configure_logging()
    settings = load_settings()
    plugins, generator = Plugins.load(settings.plugins), random.Random()  # noqa: S311  # spreads retries, hides nothing
    plugins.tell()
    database = open_database(
        lambda: Database(settings.database_url, pool_size=5, application="stratoplane-scheduler", kinds=plugins.kinds)
    )
    notifier = WorkerNotifier(settings.redis_url)
    stop = stop_event()
    start_essential(partial(_relay_until, stop, database, notifier), "relay")
    for name, seconds, work in (
        ("sweep", settings.sweep_seconds, lambda: sweep(database, notifier)),
        (
            "reconcile",
            settings.reconcile_seconds,
            lambda: reconcile_in_turn(database, full_seconds=settings.full_comparison_seconds),
        ),
        ("monitor", settings.sweep_seconds, lambda: run_monitor_round(database, settings)),
        ("seal", settings.seal_seconds, lambda: seal(database)),
        ("notify", _NOTIFY_SECONDS, lambda: notify(database, plugins, generator=generator)),
    ):
        start_essential(partial(_repeat, stop, seconds, work), name)
    _guarded(lambda: seed_limits(database))
    _log.info("scheduler is ready")
    stop.wait()
    notifier.close()
    database.close()


def _relay_until(stop: threading.Event, database: Database, notifier: WorkerNotifier) -> None:
    for _ in notifications(database.url, [OUTBOX_CHANNEL], idle_seconds=_IDLE_SECONDS, ended=stop.is_set):
        _guarded(lambda: relay(database, notifier))


def _repeat(stop: threading.Event, seconds: float, work: Callable[[], object]) -> None:
    while not stop.is_set():
        begun = time.monotonic()
        _guarded(work)
        stop.wait(max(0.1, seconds - (time.monotonic() - begun)))


def _guarded(work: Callable[[], object]) -> None:
    """Run one round; whatever breaks is logged and the next round runs."""
    try:
        work()
    except UnavailableError as error:
        _log.warning("%s", error.detail)
    except Exception:  # noqa: BLE001  # the role outlives any one round
        _log.exception("a round of the scheduler broke; the next one follows")


if __name__ == "__main__":
    main()
