# SPDX-License-Identifier: Apache-2.0
"""One process that starts the others in order, keeps them running and stops them in reverse order."""

import logging
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Final

from stratoplane_embedded.processes import wait_until
from stratoplane_server.children import Child, ChildSpec
from stratoplane_server.process_table import ProcessKey, key_of
from stratoplane_server.state import StateFolder, SupervisorReport

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # the last when its terminal is closed
RELOAD_SIGNAL: Final = signal.SIGUSR1
_STARTING_SECONDS: Final = 0.05
_IDLE_SECONDS: Final = 60.0
_KILLED_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 2.0
_REPORT: Final = "the supervisor's report"
_log: Final = logging.getLogger(__name__)


class Supervisor:
    """Keeps the children of one state folder running until one of STOP_SIGNALS.

    Args:
        folder: the state folder, whose lock the caller holds.
        specs: the children in the order of their start.
        describe: returns the report without its children; addresses are known only once the databases run.
        on_reload: returns the names of the children to restart after RELOAD_SIGNAL.

    Call :meth:`run` from the main thread: the kernel ends the children when that thread ends.
    """

    def __init__(
        self,
        folder: StateFolder,
        specs: Sequence[ChildSpec],
        describe: Callable[[ProcessKey], SupervisorReport],
        on_reload: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._folder: Final = folder
        self._children: Final = [Child(spec, folder.logs) for spec in specs]
        self._describe: Final = describe
        self._on_reload: Final = on_reload
        self._requests: Final[set[int]] = set()
        self._was_ready = False
        self._troubles: Final[dict[str, str]] = {}

    def run(self) -> None:
        """Start and monitor everything, and return when everything has stopped."""
        clean_up(self._folder)
        with self._signals() as wake:
            try:
                while not self._requests.intersection(STOP_SIGNALS):
                    self._reload_if_asked()
                    if self._look() or _REPORT in self._troubles:
                        self._survive(_REPORT, self._report)
                    select.select([wake], [], [], self._pause())
                    _drain(wake)
            finally:
                self._stop_all()

    def _look(self) -> bool:
        now = time.monotonic()
        ready = {child.spec.name for child in self._children if child.ready}
        changed = False
        for child in self._children:
            may_start = ready.issuperset(child.spec.after)
            changed |= self._survive(child.spec.name, partial(self._look_at, child, now, may_start=may_start))
        return changed

    def _look_at(self, child: Child, now: float, *, may_start: bool) -> bool:
        changed = child.look(now, may_start=may_start)
        changed |= child.spec.once and self._follow(child)
        child.keep_log_small()
        return changed

    def _survive(self, subject: str, act: Callable[[], bool]) -> bool:
        """Act and return whether anything changed; an error is logged once, and the next round tries again."""
        try:
            changed = act()
        except Exception as error:  # noqa: BLE001  # whatever it is, without the supervisor nothing comes back
            trouble = f"{type(error).__name__}: {error}"
            if self._troubles.get(subject) != trouble:
                _log.error("%s: %s; the supervisor goes on and tries again", subject, trouble)  # a line
            self._troubles[subject] = trouble
            return False
        if self._troubles.pop(subject, None) is not None:
            _log.info("%s: works again", subject)
        return changed

    @staticmethod
    def _follow(child: Child) -> bool:
        """Log the output of a child that prepares the platform, so that its waiting is visible."""
        lines = child.new_lines()
        for line in lines:
            _log.info("%s: %s", child.spec.name, line)
        return bool(lines)

    def _report(self) -> bool:
        """Write the report, and log once that the platform is up."""
        ready = all(child.ready for child in self._children)
        children = [child.report() for child in self._children]
        report = self._describe(key_of(os.getpid()))
        if ready and not self._was_ready:
            _log.info("the platform is up: API %s, agents' API %s", report.api_url, report.agent_url)
        self._was_ready = ready
        self._folder.write_report(replace(report, ready=ready, children=children))
        return True

    def _pause(self) -> float:
        """Return for how many seconds nothing can change except by a signal."""
        if any(child.starting for child in self._children):
            return _STARTING_SECONDS
        now = time.monotonic()
        longest = _AGAIN_SECONDS if self._troubles else _IDLE_SECONDS
        return min([longest, *(max(0.0, due - now) or _STARTING_SECONDS for due in self._dues())])

    def _dues(self) -> Iterator[float]:
        ready = {child.spec.name for child in self._children if child.ready}
        for child in self._children:
            if child.due is not None and ready.issuperset(child.spec.after):
                yield child.due

    def _reload_if_asked(self) -> None:
        if RELOAD_SIGNAL not in self._requests:
            return
        self._requests.discard(RELOAD_SIGNAL)
        names = self._on_reload()
        chosen = [child for child in self._children if child.spec.name in names]
        self._stop(chosen)
        for child in chosen:
            child.allow_again()

    def _stop_all(self) -> None:
        """Stop the platform first, all at once, then the databases one by one in reverse order."""
        self._stop([child for child in self._children if not child.spec.holds_state])
        for child in reversed([child for child in self._children if child.spec.holds_state]):
            self._stop([child])
        self._folder.report.unlink(missing_ok=True)
        _log.info("the platform is down")

    def _stop(self, children: Sequence[Child]) -> None:
        for child in reversed(children):
            child.ask_to_stop()
        for child in reversed(children):
            child.await_stop()

    @contextmanager
    def _signals(self) -> Iterator[int]:
        """Collect signals in ``_requests`` and provide a descriptor that becomes readable after each."""
        read, write = os.pipe()
        for end in (read, write):
            os.set_blocking(end, False)
        wanted = (*STOP_SIGNALS, RELOAD_SIGNAL, signal.SIGCHLD)
        numbers = [number for number in wanted if signal.getsignal(number) is not signal.SIG_IGN]  # nohup
        before = {number: signal.signal(number, self._remember) for number in numbers}
        woken_before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        try:
            yield read
        finally:
            signal.set_wakeup_fd(woken_before)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(read)
            os.close(write)

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self._requests.add(number)


def clean_up(folder: StateFolder) -> None:
    """End the children of a killed supervisor, identified by pid and start time; its lock is free, so it has ended."""
    report = folder.read_report()
    if report is None:
        return
    for child in reversed(report.children):
        if child.process is not None and child.process.alive:
            _log.warning("%s (process %d) was left by a killed supervisor; ending it", child.name, child.process.pid)
            child.process.send(child.stop_signal)
    for child in reversed(report.children):
        if child.process is not None and not _ended_within(child.process, child.stop_seconds):
            child.process.kill_group()
            _ended_within(child.process, _KILLED_SECONDS)
    folder.report.unlink(missing_ok=True)


def _ended_within(key: ProcessKey, seconds: float) -> bool:
    return wait_until(lambda: not key.alive, seconds)


def _drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, 512):
            pass
    except BlockingIOError:
        return
