# SPDX-License-Identifier: Apache-2.0
"""What exists on the cluster: every driver lists its objects, and the control plane gets them kind by kind.

It gets a snapshot now and then, and deltas in between: a steady cluster of thousands of objects costs a few bytes.
"""

import hashlib
import itertools
import json
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from stratoplane.driver_kinds import DriverKind, ObjectStatus
from stratoplane.errors import DriverError
from stratoplane.foreign import FOREIGN_LIMIT, ForeignOps
from stratoplane.messages import ForeignItem, InventoryItem, ProviderStatus
from stratoplane.wire import to_json
from stratoplane_agent.control_plane import ControlPlane, KindSurvey
from stratoplane_agent.listings import CAPACITY, HEALTH, IMAGES
from stratoplane_agent.log import Log
from stratoplane_agent.providers import Provider, Providers
from stratoplane_agent.session import ControlPlaneSession
from stratoplane_agent.transport import ControlPlaneError

_MOST_DELTAS: Final = 20
_log: Final = Log("inventory")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Survey:
    """A driver's listing of one kind: encoded items by id.

    Attributes:
        foreign: encoded list of foreign objects, None when the driver cannot list them.
        begun: reading of the monotonic clock when the driver began to list.
    """

    kind: DriverKind
    items: Mapping[UUID, bytes]
    foreign: bytes | None
    begun: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sent:
    """What the control plane knows of a kind: digests of the items by id, and the message that brought them.

    Attributes:
        foreign: digest of the list of foreign objects that was sent last, empty when none was.
    """

    snapshot: UUID
    sequence: int
    digests: Mapping[UUID, bytes]
    foreign: bytes


class Inventory:
    """One daemon thread: surveys periodically, after a reconnection, and when a provider changed."""

    def __init__(self, control_plane: ControlPlane, providers: Providers, session: ControlPlaneSession) -> None:
        self._control_plane: Final = control_plane
        self._providers: Final = providers
        self._session: Final = session
        self._wake: Final = threading.Event()
        self._hurry: Final = threading.Event()
        self._answers: Final[queue.SimpleQueue[_Survey]] = queue.SimpleQueue()
        self._told: frozenset[tuple[str, str, str]] = frozenset()
        self._sent: Final[dict[str, _Sent]] = {}
        self._must_greet = False
        self._thread: Final = threading.Thread(target=self._run, name="inventory", daemon=True)

    def start(self) -> None:
        self._providers.on_late = self._wake.set
        self._thread.start()

    def soon(self) -> None:
        """Survey now instead of at the next interval."""
        self._hurry.set()
        self._wake.set()

    def provider_changed(self) -> None:
        """Report a provider's new state to the control plane, then survey."""
        self._must_greet = True
        self.soon()

    def _run(self) -> None:
        due = time.monotonic() + self._session.inventory_seconds
        while True:
            self._wake.wait(min(max(0.0, due - time.monotonic()), self._providers.listings.seconds))
            self._wake.clear()
            is_due = self._hurry.is_set() or time.monotonic() >= due
            self._hurry.clear()
            if is_due:
                due = time.monotonic() + self._session.inventory_seconds
            try:
                self._turn(is_due=is_due)
            except ControlPlaneError as error:
                _log.debug("inventory_not_sent", reason=error)
            except Exception as error:  # noqa: BLE001  # top of this thread; the next survey follows
                _log.bug("inventory_failed", error)

    def _turn(self, *, is_due: bool) -> None:
        self._report_providers()
        # Before the next call may succeed: what was wrong is told, too.
        self._report_listings(is_due=False)
        if is_due:
            self._survey()
        self._take_answers()
        self._report_listings(is_due=is_due)

    def _report_providers(self) -> None:
        if not self._must_greet:
            return
        self._must_greet = False
        self._session.refresh()
        try:
            self._session.greet()
        except ControlPlaneError:
            # Try again with the next hello: the poll fails as well and is followed by one.
            self._must_greet = True
            raise

    def _survey(self) -> None:
        """Ask every driver; each answer wakes this thread, so that none waits for another."""
        for kind in self._providers.kinds:
            self._ask(kind)
        for provider in self._providers:
            if provider.report.status is ProviderStatus.READY:
                self._providers.measure(provider)
            else:
                for name in (CAPACITY, HEALTH, *((IMAGES,) if provider.tells_images else ())):
                    self._providers.listings.refuse(provider.interface, name, provider.report.reason)
                self._providers.prepare_one(provider)

    def _take_answers(self) -> None:
        while not self._answers.empty():
            survey = self._answers.get()
            self._send(survey, survey.items)

    def _report_listings(self, *, is_due: bool) -> None:
        """Tell how the drivers answer, in every round and whenever something else fails than before."""
        errors = self._providers.listings.errors()
        if is_due or errors != self._told:
            self._session.refresh()
            self._control_plane.report_listings(self._providers.listings.reports(), self._providers.capacity())
            self._told = errors

    def _send(self, survey: _Survey, items: Mapping[UUID, bytes]) -> None:
        """Send a delta, or a snapshot: at first, periodically, and whenever a message may have been lost."""
        kind, digests = survey.kind, {uid: _digest(item) for uid, item in items.items()}
        # Until it answers, what the control plane knows is uncertain.
        sent = self._sent.pop(kind.name, None)
        foreign = sent.foreign if survey.foreign is None and sent else _digest(survey.foreign or b"")
        if sent is None or sent.sequence >= _MOST_DELTAS:
            fresh, changed, gone = (
                _Sent(snapshot=uuid4(), sequence=0, digests=digests, foreign=foreign),
                list(items.values()),
                [],
            )
        else:
            fresh = _Sent(snapshot=sent.snapshot, sequence=sent.sequence + 1, digests=digests, foreign=foreign)
            changed = [item for uid, item in items.items() if sent.digests.get(uid) != digests[uid]]
            gone = [uid for uid in sent.digests if uid not in digests]
        send_foreign = fresh.sequence == 0 or sent is None or sent.foreign != foreign
        message = KindSurvey(
            kind=kind.name,
            items=changed,
            gone=gone,
            snapshot=fresh.snapshot,
            sequence=fresh.sequence,
            age_seconds=time.monotonic() - survey.begun,
            foreign=survey.foreign if survey.foreign and send_foreign else b"null",
        )
        answer = self._control_plane.inventory(message, self._providers.capacity())
        if kind.name in answer.wanted:
            self.soon()
        else:
            self._sent[kind.name] = fresh

    def _ask(self, kind: DriverKind) -> None:
        """Let a driver list its objects on its own threads."""
        provider = self._providers.of(kind.interface)
        if provider is None or (provider.driver is not None and not isinstance(provider.driver, kind.driver)):
            return
        if provider.report.status is not ProviderStatus.READY:
            self._providers.listings.refuse(kind.interface, kind.name, provider.report.reason)
        elif provider.bulkhead.is_stalled():
            self._providers.listings.refuse(kind.interface, kind.name, "every thread of the driver is busy")
        else:
            self._providers.ask(provider, kind.name, lambda: _surveyed(provider, kind), self._use)

    def _use(self, survey: _Survey) -> None:
        self._answers.put(survey)
        self._wake.set()


def _digest(item: bytes) -> bytes:
    return hashlib.blake2b(item, digest_size=16).digest()


def _surveyed(provider: Provider, kind: DriverKind) -> _Survey:
    """Return every object of a kind; raises if any is missing: an object that is left out would look lost."""
    begun = time.monotonic()
    listed: dict[UUID, list[ObjectStatus]] = {}
    for answer in getattr(provider.driver, kind.methods.list_all)():
        status = kind.checked(answer, kind.methods.list_all)
        listed.setdefault(status.uid, []).append(status)
    items = {uid: _encode(kind, found) for uid, found in listed.items()}
    return _Survey(kind=kind, items=items, foreign=_foreign(provider, kind), begun=begun)


def _foreign(provider: Provider, kind: DriverKind) -> bytes | None:
    """Return the encoded list of foreign objects, None when the driver cannot list them: the last list stays valid."""
    driver: object = provider.driver  # interface and ability meet in the driver's own class only
    if not isinstance(driver, ForeignOps) or not kind.is_primary:
        return None
    try:
        found = itertools.islice(driver.list_foreign(FOREIGN_LIMIT), FOREIGN_LIMIT)
        items = [ForeignItem(reference=each.reference, name=each.name, status=to_json(each.status)) for each in found]
        return json.dumps(to_json(items), separators=(",", ":"), allow_nan=False).encode()
    except DriverError as error:
        _log.warning("list_failed", kind=kind.name, driver=provider.name, reason=error)
    except Exception as error:  # noqa: BLE001  # a driver may raise anything
        _log.bug("driver_bug", error, kind=kind.name, driver=provider.name, verb="list_foreign")
    return None


def _encode(kind: DriverKind, found: list[ObjectStatus]) -> bytes:
    """Return the item of the objects that carry one mark; which of several is shown does not change by itself."""
    first, *others = found if len(found) == 1 else sorted(found, key=_reference)
    item = InventoryItem(
        uid=first.uid, kind=kind.name, status=to_json(first), others=tuple(_reference(each) for each in others)
    )
    document = to_json(item)
    if not others:
        del document["others"]
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def _reference(status: ObjectStatus) -> str:
    return str(getattr(status, "provider_reference", ""))
