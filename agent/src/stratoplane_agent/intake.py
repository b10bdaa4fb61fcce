# SPDX-License-Identifier: Apache-2.0
"""Accepts work: polls for offers, records and acknowledges them, and starts what the control plane then assigns.

One thread in a fixed order, so that an operation is on disk before it is acknowledged, and acknowledged before it is
started. The next poll is sent while the operations of the last one run.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

from stratoplane.errors import InvalidSpecError
from stratoplane.messages import OfferRequest, Operation
from stratoplane_agent.attempt import facts
from stratoplane_agent.backoff import Backoff
from stratoplane_agent.control_plane import ControlPlane, Offer, read_operation, reference
from stratoplane_agent.executor import Executor
from stratoplane_agent.host import HOST, Host
from stratoplane_agent.inventory import Inventory
from stratoplane_agent.journal import Journal, JournalError
from stratoplane_agent.log import Log
from stratoplane_agent.session import ControlPlaneSession
from stratoplane_agent.transport import (
    ControlPlaneError,
    CredentialRefusedError,
    RefusedByControlPlaneError,
    UnreachableControlPlaneError,
)

_MOST_OFFERS: Final = 100
_ROOM_SECONDS: Final = 0.5
_log: Final = Log("intake")


class Intake:
    """One daemon thread."""

    def __init__(
        self,
        control_plane: ControlPlane,
        journal: Journal,
        executor: Executor,
        session: ControlPlaneSession,
        inventory: Inventory,
        *,
        wanted_room: int,
        host: Host = HOST,
    ) -> None:
        """Start with nothing to acknowledge.

        Args:
            control_plane: offers operations.
            journal: records operations before they are acknowledged.
            executor: executes what was assigned.
            session: says hello before the first poll and after every interruption.
            inventory: surveys after every interruption.
            wanted_room: operations that must fit before the next poll, so that a busy agent polls seldom and for many.
            host: supplies time and the thread.
        """
        self._control_plane: Final = control_plane
        self._journal: Final = journal
        self._executor: Final = executor
        self._session: Final = session
        self._inventory: Final = inventory
        self._wanted_room: Final = min(wanted_room, _MOST_OFFERS)
        self._unacknowledged: list[Operation] = []
        self._backoff: Final = Backoff(generator=host.generator)
        self._stop: Final = host.event()
        self._thread: Final = host.thread("intake", self._run)

    def start(self, unfinished: Sequence[str]) -> None:
        """Start with the operations (JSON texts) that an earlier run left unfinished.

        They are acknowledged again at their epoch before anything else: what the control plane has withdrawn is not
        executed. What it confirms is observed first, since it may have taken effect.
        """
        for document in unfinished:
            try:
                left = read_operation(document)
            except (ValueError, InvalidSpecError) as error:
                _log.error("journal_entry_unreadable", reason=error)
                continue
            self._unacknowledged.append(dataclasses.replace(left, observe_first=True))
            _log.info("operation_left_over", **facts(left))
        self._thread.start()

    def stop(self) -> None:
        """Accept nothing more; what a pending poll still returns expires unacknowledged and is offered again."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            asked = None
            try:
                self._poll_until_error()
            except ControlPlaneError as error:
                self._session.lost(error)
                asked = error.retry_after if isinstance(error, UnreachableControlPlaneError) else None
            except JournalError as error:
                _log.error("no_work_taken", reason=error)
            except Exception as error:  # noqa: BLE001  # top of this thread; the agent must keep polling
                _log.bug("intake_failed", error)
            self._stop.wait(self._backoff.delay(asked))

    def _poll_until_error(self) -> None:
        """Say hello, then poll until something fails."""
        self._session.greet()
        self._inventory.soon()
        self._acknowledge()
        while not self._stop.is_set():
            self._poll()
            self._backoff.reset()

    def _poll(self) -> None:
        room = self._executor.wait_for_room(self._wanted_room, _ROOM_SECONDS)
        if room < 1:
            return
        request = OfferRequest(
            maximum=min(room, _MOST_OFFERS),
            wait_seconds=self._session.poll_seconds,
            waiting=tuple(map(reference, self._executor.waiting()[:_MOST_OFFERS])),
        )
        offers = self._control_plane.offers(request)
        if offers and not self._stop.is_set():
            self._admit(list({each.operation.id: each for each in offers}.values()))
            self._acknowledge()

    def _admit(self, offers: Sequence[Offer]) -> None:
        admission = self._journal.admit(offers)
        for offer in admission.outdated:
            _log.warning("offer_refused", **facts(offer.operation), reason="the agent has seen a higher epoch of it")
        for offer in admission.repeated:
            _log.info("offer_repeated", **facts(offer.operation))
        self._unacknowledged += [each.operation for each in admission.recorded]

    def _acknowledge(self) -> None:
        """Acknowledge and start. What was not answered is acknowledged again later: it may have been assigned."""
        while self._unacknowledged:
            batch = self._unacknowledged[:_MOST_OFFERS]
            accepted = frozenset[object]()
            try:
                accepted = frozenset(self._control_plane.acknowledge([reference(each) for each in batch]).accepted)
            except CredentialRefusedError:
                raise
            except RefusedByControlPlaneError as error:
                _log.error("acknowledgement_refused", count=len(batch), reason=error)
            self._unacknowledged = self._unacknowledged[len(batch) :]
            self._start_operations([each for each in batch if each.id in accepted])
            self._forget([each for each in batch if each.id not in accepted])

    def _start_operations(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            _log.debug("operation_accepted", **facts(operation))
            self._executor.start(operation)

    def _forget(self, operations: Sequence[Operation]) -> None:
        if not operations:
            return
        for operation in operations:
            _log.info("operation_withdrawn", **facts(operation))
        self._journal.forget([reference(each) for each in operations])
