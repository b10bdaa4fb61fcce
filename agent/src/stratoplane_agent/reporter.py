# SPDX-License-Identifier: Apache-2.0
"""Sends results: at once when the agent is idle, in batches when it is busy, and again until each is accepted."""

import json
import queue
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from uuid import UUID

from stratoplane.messages import OperationReference, Outcome, ResultsAnswer
from stratoplane_agent.backoff import Backoff
from stratoplane_agent.control_plane import ControlPlane
from stratoplane_agent.host import HOST, Host
from stratoplane_agent.journal import Ended, Journal, JournalError
from stratoplane_agent.log import Log
from stratoplane_agent.transport import (
    ControlPlaneError,
    CredentialRefusedError,
    RefusedByControlPlaneError,
    UnreachableControlPlaneError,
)

_COALESCE_SECONDS: Final = 0.002
_MOST_RESULTS: Final = 100
_MOST_BYTES: Final = 1024 * 1024
_SERVER_FAULT: Final = 500
_FAULTS_BEFORE_SPLIT: Final = 3
_REFUSED_CODE: Final = "result_refused"
_log: Final = Log("reporter")
_Key = tuple[UUID, int]


class Reporter:
    """One daemon thread between the executor and the control plane."""

    def __init__(self, journal: Journal, control_plane: ControlPlane, host: Host = HOST) -> None:
        """Start with nothing to report.

        Args:
            journal: keeps each result until it is accepted.
            control_plane: accepts results.
            host: supplies time and the thread.
        """
        self._host: Final = host
        self._journal: Final = journal
        self._control_plane: Final = control_plane
        self._running: Callable[[], int] = lambda: 0
        self._fresh: Final[queue.SimpleQueue[Ended | None]] = host.queue()
        self._pending: Final[dict[_Key, Ended]] = {}
        self._backoff: Final = Backoff(generator=host.generator)
        self._next_try = 0.0
        self._closing = False
        self._thread: Final = host.thread("reporter", self._run)

    def start(self, running: Callable[[], int]) -> None:
        """Start sending.

        Args:
            running: returns how many operations will end soon; a batch waits briefly for them.
        """
        self._running = running
        self._thread.start()

    def deliver(self, ended: Ended) -> None:
        """Report a result; returns at once, from any thread."""
        self._fresh.put(ended)

    def close(self, seconds: float) -> int:
        """Record and send the remaining results within ``seconds``; return how many were not accepted.

        Those are in the journal, and the next run of the agent reports them.
        """
        self._fresh.put(None)
        self._thread.join(seconds)
        return len(self._pending)

    def _run(self) -> None:
        while not self._closing:
            try:
                fresh = self._collect()
                self._keep(fresh)
                self._send()
            except Exception as error:  # noqa: BLE001  # top of this thread; results must still be sent
                _log.bug("reporter_failed", error)
                self._next_try = self._host.monotonic() + self._backoff.delay()

    def _collect(self) -> list[Ended]:
        """Wait for a result or for the time to resend; then take every result that is available or follows at once."""
        fresh: list[Ended] = []
        wait = max(0.0, self._next_try - self._host.monotonic()) if self._pending else None
        until = 0.0
        while len(fresh) < _MOST_RESULTS:
            try:
                ended = self._fresh.get(timeout=wait)
            except queue.Empty:
                break
            if ended is None:
                self._closing = True
                self._next_try = 0.0
                wait = 0.0
                continue
            fresh.append(ended)
            until = until or self._host.monotonic() + _COALESCE_SECONDS
            soon = not self._closing and self._running() > len(fresh)
            wait = max(0.0, until - self._host.monotonic()) if soon else 0.0
        return fresh

    def _keep(self, fresh: Sequence[Ended]) -> None:
        if not fresh:
            return
        self._pending.update({(each.id, each.epoch): each for each in fresh})
        try:
            self._journal.finish(fresh)
        except JournalError as error:
            _log.error("results_not_recorded", count=len(fresh), reason=error)

    def _send(self) -> None:
        if not self._pending or self._host.monotonic() < self._next_try:
            return
        try:
            for batch in _batches(list(self._pending.values())):
                self._deliver(batch)
        except ControlPlaneError as error:
            self._failed(error)
            return
        if self._backoff.failures:
            _log.info("results_sent_again", failures=self._backoff.failures)
        self._backoff.reset()
        if self._pending:  # the answer did not mention them
            self._next_try = self._host.monotonic() + 1.0

    def _failed(self, error: ControlPlaneError) -> None:
        asked = error.retry_after if isinstance(error, UnreachableControlPlaneError) else None
        if not self._backoff.failures:
            _log.warning("results_kept", count=len(self._pending), reason=error)
        self._next_try = self._host.monotonic() + self._backoff.delay(asked)

    def _deliver(self, batch: Sequence[Ended]) -> None:
        """Send a batch; a refused one is halved, so that one bad result does not block the others."""
        try:
            answer = self._control_plane.report([each.result for each in batch])
        except CredentialRefusedError:
            raise
        except RefusedByControlPlaneError as error:
            fault = error.status >= _SERVER_FAULT
            if fault and self._backoff.failures < _FAULTS_BEFORE_SPLIT:
                raise
            self._divide(batch, error, is_fault=fault)
        else:
            self._accepted(batch, answer)

    def _divide(self, batch: Sequence[Ended], error: RefusedByControlPlaneError, *, is_fault: bool) -> None:
        if len(batch) > 1:
            middle = len(batch) // 2
            self._deliver(batch[:middle])
            self._deliver(batch[middle:])
        elif is_fault:
            _log.error("result_not_accepted", operation=batch[0].id, reason=error)
            self._next_try = self._host.monotonic() + self._backoff.delay()
        else:
            self._replace(batch[0], error)

    def _replace(self, ended: Ended, error: RefusedByControlPlaneError) -> None:
        """Report a refused result again without its content; drop it if that is refused as well."""
        _log.error("result_refused", operation=ended.id, epoch=ended.epoch, reason=error)
        if json.loads(ended.result).get("code") == _REFUSED_CODE:
            self._drop([ended])
            return
        plain = {
            "id": str(ended.id),
            "epoch": ended.epoch,
            "outcome": Outcome.UNCERTAIN.value,
            "code": _REFUSED_CODE,
            "detail": f"the control plane refused the driver's result ({error.status} {error.code})",
        }
        self._keep([Ended(id=ended.id, epoch=ended.epoch, result=json.dumps(plain))])
        self._deliver([self._pending[ended.id, ended.epoch]])

    def _accepted(self, batch: Sequence[Ended], answer: ResultsAnswer) -> None:
        for identifier in answer.stale:
            _log.warning("result_stale", operation=identifier)
        answered = {*answer.accepted, *answer.stale}
        self._drop([each for each in batch if each.id in answered])

    def _drop(self, ended: Sequence[Ended]) -> None:
        for each in ended:
            self._pending.pop((each.id, each.epoch), None)
        try:
            self._journal.forget([OperationReference(id=each.id, epoch=each.epoch) for each in ended])
        except JournalError as error:
            _log.error("results_not_forgotten", count=len(ended), reason=error)


def _batches(results: Sequence[Ended]) -> Iterator[Sequence[Ended]]:
    """Split results into batches below the limits; a single result may exceed the limit of bytes."""
    batch: list[Ended] = []
    size = 0
    for each in results:
        if batch and (len(batch) >= _MOST_RESULTS or size + len(each.result) > _MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += len(each.result)
    if batch:
        yield batch
