# SPDX-License-Identifier: Apache-2.0
"""The simulated region: every driver call passes through it, and faults are injected here."""

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
from stratoplane_mock.fault_plan import FaultPlan
from stratoplane_mock.hosts import resize_region
from stratoplane_mock.machine_table import remove_due
from stratoplane_mock.pace import Pace
from stratoplane_mock.region_admin import RegionAdmin
from stratoplane_mock.rules import Call, Fault, FaultRule, parse_rule
from stratoplane_mock.settings import MockSettings
from stratoplane_mock.store import CutOffError, Store, Transaction

_log: Final = logging.getLogger(__name__)
ResultT = TypeVar("ResultT")
Work = Callable[[Transaction], ResultT]

FILE_NAME: Final = "mock-region.sqlite3"


class MockRegion:
    """One open region; drivers, tests and the command share the file.

    Attributes:
        faults: the fault plan; a change applies at once, in every process that has the region open.
        admin: inspects and disturbs the region, bypassing the fault plan.
    """

    def __init__(self, store: Store, settings: MockSettings) -> None:
        self._store: Final = store
        self._settings: Final = settings
        self._pace: Final = Pace(settings.calls_per_second)
        self.faults: Final = FaultPlan(store)
        self.admin: Final = RegionAdmin(self.look, self.write)

    @classmethod
    def open(cls, path: Path, settings: MockSettings | None = None) -> "MockRegion":
        """Open or create the region in the file ``path``; without ``settings`` its hosts and faults stay unchanged.

        Raises:
            MisconfiguredError: the file cannot be created, or is not a region.
        """
        store = Store.open(path)
        region = cls(store, settings or MockSettings())
        if settings is not None:
            with store.writing() as transaction:
                resize_region(transaction, settings)
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
            TransientError: the region does not answer, by an injected fault or because its file is busy.
        """
        self._pass_gate()
        rule = self.faults.draw(call, changing=False)
        if rule is not None:
            _refuse(rule, call)
            if rule.fault in (Fault.LOST_BEFORE, Fault.LOST_AFTER):
                raise UnreachableError(f"no answer to {_describe(call)}", provider_text="connection reset by peer")
            time.sleep(rule.delay_seconds)
        return self.look(work)

    def change(self, call: Call, work: Work[ResultT]) -> ResultT:
        """Answer a call that changes something: everything or nothing of ``work`` takes effect.

        Raises:
            TransientError, UncertainError, CapacityError: by an injected fault, or because the region's file is busy.
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
        """Read bypassing the fault plan, as the region's operator does."""
        try:
            with self._store.reading() as transaction:
                return work(transaction)
        except sqlite3.Error as error:
            raise UnreachableError("the region's file cannot be read now", provider_text=str(error)) from error

    def write(self, work: Work[ResultT], *, cut_at: int = 0) -> ResultT:
        """Change the region bypassing the fault plan, as its operator does."""
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
            raise ProviderRateLimitedError(
                "the region accepts no more calls now", provider_text="429", retry_after=wait
            )

    def _act(self, call: Call, work: Work[ResultT], rule: FaultRule) -> ResultT:
        try:
            result = self.write(work, cut_at=_cut_at(rule))
        except CutOffError as error:
            if rule.fault is Fault.CRASH:
                _die()
            raise UncertainError(f"{_describe(call)} was cut off", provider_text="500 in the middle") from error
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
                _log.warning("mock_late_call_failed call=%r reason=%s", _describe(call), error.detail)

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
    """Raise the error of a fault that prevents the call from reaching the region."""
    if rule.fault is Fault.UNAVAILABLE:
        raise TransientError(
            f"the region is unavailable: {_describe(call)} was not executed",
            provider_text="503 Service Unavailable",
            retry_after=rule.retry_after,
        )
    if rule.fault is Fault.RATE_LIMITED:
        raise ProviderRateLimitedError(
            "the region accepts no more calls now",
            provider_text="429 Too Many Requests",
            retry_after=rule.retry_after,
        )
    if rule.fault is Fault.NO_CAPACITY:
        raise CapacityError(f"no capacity to {_describe(call)}", provider_text="No valid host was found")


def _lost(call: Call) -> UncertainError:
    return UncertainError(f"no answer to {_describe(call)}", provider_text="connection reset by peer")


def _describe(call: Call) -> str:
    return f"{call.verb} {call.kind} {call.uid or ''}".rstrip()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
