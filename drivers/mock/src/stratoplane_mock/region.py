# SPDX-License-Identifier: Apache-2.0
"""The simulated region: every call of a driver passes here, and what goes wrong on request goes wrong here."""

import dataclasses
import logging
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from stratoplane.errors import (
    CapacityError,
    DriverError,
    ProviderRateLimitedError,
    TransientError,
    UncertainError,
    UnreachableError,
)
from stratoplane_mock import disturbances
from stratoplane_mock.by_hand import ByHand
from stratoplane_mock.fault_plan import FaultPlan
from stratoplane_mock.hosts import furnish
from stratoplane_mock.machine_table import remove_due
from stratoplane_mock.pace import Pace
from stratoplane_mock.rules import Call, Fault, FaultRule, parse_rule
from stratoplane_mock.settings import MockSettings
from stratoplane_mock.store import CutOffError, Store, Transaction

_log: Final = logging.getLogger(__name__)
ResultT = TypeVar("ResultT")
Work = Callable[[Transaction], ResultT]

FILE_NAME: Final = "mock-region.sqlite3"


class MockRegion:
    """One open region; drivers, tests and the command use the same file side by side.

    Attributes:
        faults: what goes wrong on request; a change holds at once, in every process that has the region open.
        by_hand: looking into the region and disturbing it, past the fault plan.
    """

    def __init__(self, store: Store, settings: MockSettings) -> None:
        self._store: Final = store
        self._settings: Final = settings
        self._pace: Final = Pace(settings.calls_per_second)
        self.faults: Final = FaultPlan(store)
        self.by_hand: Final = ByHand(self.look, self.write)

    @classmethod
    def open(cls, path: Path, settings: MockSettings | None = None) -> "MockRegion":
        """Open the region in the file ``path``, or make it; without ``settings`` its hosts and faults stay as they are.

        Raises:
            MisconfiguredError: the file cannot be made, or is something else.
        """
        store = Store.open(path)
        region = cls(store, settings or MockSettings())
        if settings is not None:
            with store.writing() as transaction:
                furnish(transaction, settings)
            region.faults.configure([_seeded(parse_rule(text), settings.seed) for text in settings.faults])
        return region

    @property
    def path(self) -> Path:
        """The region's file."""
        return self._store.path

    def close(self) -> None:
        """Close the file; the region cannot be used through this object any more."""
        self._store.close()

    def read(self, call: Call, work: Work[ResultT]) -> ResultT:
        """Answer a call that changes nothing.

        Raises:
            TransientError: the region does not answer now, by request or because its file is busy.
        """
        self._pass_gate()
        rule = self.faults.draw(call, changing=False)
        if rule is not None:
            _refuse(rule, call)
            if rule.fault in (Fault.LOST_BEFORE, Fault.LOST_AFTER):
                raise UnreachableError(f"no answer to {_words(call)}", provider_text="connection reset by peer")
            time.sleep(rule.delay_seconds)
        return self.look(work)

    def change(self, call: Call, work: Work[ResultT]) -> ResultT:
        """Answer a call that changes something: everything or nothing of ``work`` takes effect.

        Raises:
            TransientError, UncertainError, CapacityError: by request, or because the region's file is busy.
            Others: what ``work`` raises; nothing took effect then.
        """
        self._pass_gate()
        rule = self.faults.draw(call, changing=True)
        if rule is None:
            return self.write(work)
        _refuse(rule, call)
        if rule.fault is Fault.LOST_BEFORE:
            raise _lost(call)
        if rule.fault is Fault.LATE:
            self._act_later(call, work, rule.delay_seconds)
            raise _lost(call)
        result = self._act(call, work, rule)
        self._disturb(call, rule)
        return result

    def look(self, work: Work[ResultT]) -> ResultT:
        """Read past the fault plan, as those who look after the region do."""
        try:
            with self._store.reading() as transaction:
                return work(transaction)
        except sqlite3.Error as error:
            raise UnreachableError("the region's file cannot be read now", provider_text=str(error)) from error

    def write(self, work: Work[ResultT], *, cut_at: int = 0) -> ResultT:
        """Change the region past the fault plan, as those who look after it do."""
        try:
            with self._store.writing(cut_at=cut_at) as transaction:
                remove_due(transaction)
                return work(transaction)
        except (OSError, sqlite3.Error) as error:
            raise UnreachableError("the region's file cannot be written now", provider_text=str(error)) from error

    def _pass_gate(self) -> None:
        if self._settings.call_seconds:
            time.sleep(self._settings.call_seconds)
        wait = self._pace.take()
        if wait > 0.0:
            raise ProviderRateLimitedError("the region takes no more calls now", provider_text="429", retry_after=wait)

    def _act(self, call: Call, work: Work[ResultT], rule: FaultRule) -> ResultT:
        try:
            result = self.write(work, cut_at=_cut_at(rule))
        except CutOffError as error:
            if rule.fault is Fault.CRASH:
                _die()
            raise UncertainError(f"{_words(call)} was cut off", provider_text="500 in the middle") from error
        if rule.fault is Fault.CRASH and not rule.step:
            _die()
        if rule.fault is Fault.SLOW:
            time.sleep(rule.delay_seconds)
        if rule.fault is Fault.LOST_AFTER:
            raise _lost(call)
        return result

    def _act_later(self, call: Call, work: Work[ResultT], seconds: float) -> None:
        def act() -> None:
            try:
                self.write(work)
            except DriverError as error:
                _log.warning("mock_late_call_failed call=%r reason=%s", _words(call), error.detail)

        timer = threading.Timer(seconds, act)
        timer.daemon = True
        timer.start()

    def _disturb(self, call: Call, rule: FaultRule) -> None:
        disturbance = disturbances.BY_FAULT.get(rule.fault)
        if disturbance is not None and call.uid is not None:
            kind, uid = call.kind, call.uid
            self.write(lambda transaction: disturbance(transaction, kind, uid, rule.delay_seconds))


def _seeded(rule: FaultRule, seed: int) -> FaultRule:
    return rule if rule.seed else dataclasses.replace(rule, seed=seed)


def _cut_at(rule: FaultRule) -> int:
    """Return the step at which a call ends, 0 for none."""
    if rule.fault is Fault.PARTIAL:
        return max(1, rule.step)
    return rule.step if rule.fault is Fault.CRASH else 0


def _refuse(rule: FaultRule, call: Call) -> None:
    """Raise for a fault that keeps the call from reaching the region."""
    if rule.fault is Fault.UNAVAILABLE:
        raise TransientError(
            f"the region cannot {_words(call)} now",
            provider_text="503 Service Unavailable",
            retry_after=rule.retry_after,
        )
    if rule.fault is Fault.RATE_LIMITED:
        raise ProviderRateLimitedError(
            "the region takes no more calls now", provider_text="429 Too Many Requests", retry_after=rule.retry_after
        )
    if rule.fault is Fault.NO_CAPACITY:
        raise CapacityError(f"the region has no room to {_words(call)}", provider_text="No valid host was found")


def _lost(call: Call) -> UncertainError:
    return UncertainError(f"no answer to {_words(call)}", provider_text="connection reset by peer")


def _words(call: Call) -> str:
    return f"{call.verb} {call.kind} {call.uid or ''}".rstrip()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
