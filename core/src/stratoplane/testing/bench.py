# SPDX-License-Identifier: Apache-2.0
"""The workbench: calls a driver as the engine does, checks its answers, and cleans up after a test."""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from stratoplane.driver_kinds import DriverKind, ObjectStatus
from stratoplane.drivers import AgentContext, Driver
from stratoplane.errors import DriverError, TransientError
from stratoplane.jobs import Wait
from stratoplane.wire import from_json, to_json

_LOOK_AGAIN_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 2.0


class Interruption(BaseException):  # no error: it ends a call as a killed process does
    """Raised inside a driver by an author's ``crashing_driver``; no driver may catch it."""


def agent_context(state_folder: Path, installation_id: UUID | None = None) -> AgentContext:
    """Return a context as an agent gives it, for a new installation if none is named."""
    return AgentContext(installation_id=installation_id or uuid4(), cluster_id=uuid4(), state_folder=state_folder)


@dataclass(kw_only=True)
class Workbench:
    """A driver's verbs for one kind of object.

    Attributes:
        driver: the driver under test.
        kind: the kind of object.
        new_spec: makes the specification of a new object, each time another one of the same name.
        changed: makes from a specification one that ``update`` can bring the object to.
        other_shape: makes from a specification one that no driver can bring an existing object to; None for kinds
            whose objects have no shape.
        patience: seconds that one object may take to settle.
        longest_call: seconds after which one call counts as blocking.
        made: ids of what the test made, to be deleted at its end.
    """

    driver: Driver
    kind: DriverKind
    new_spec: Callable[[], Any]
    changed: Callable[[Any], Any]
    other_shape: Callable[[Any], Any] | None
    patience: float = 120.0
    longest_call: float = 60.0
    made: list[UUID] = field(default_factory=list)

    @property
    def status(self) -> type[ObjectStatus]:
        """Class of the kind's statuses."""
        return self.kind.status

    def on(self, driver: Driver) -> "Workbench":
        """Return a bench for another driver that works on the same provider; this one tidies up for both."""
        return replace(self, driver=driver)

    def observe(self, uid: UUID) -> Any:
        """Return the object's status or None, as the driver sees it."""
        found = self.settle(lambda: self.call("observe", uid), self.status, type(None))
        return None if found is None else _checked(found)

    def create(self, spec: Any) -> Any:
        """Create, wait until it is done, and return the status."""
        self.will_make(spec)
        return _checked(self.settle(lambda: self.call("create", spec), self.status))

    def update(self, spec: Any) -> Any:
        """Update, wait until it is done, and return the status."""
        return _checked(self.settle(lambda: self.call("update", spec), self.status))

    def delete(self, uid: UUID) -> None:
        """Delete and wait until it is done."""
        self.settle(lambda: self.call("delete", uid), type(None))

    def listed(self) -> Sequence[UUID]:
        """Return the ids that the driver lists, as often as it lists them."""
        listing = self.kind.methods.list_all
        found = self.settle(lambda: list(getattr(self.driver, listing)()), list)
        assert all(isinstance(status, self.status) for status in found), f"{listing} returns other things: {found!r}"
        return [status.uid for status in found]

    def call(self, verb: str, argument: Any) -> Any:
        """Call one of the verbs ``observe``, ``create``, ``update`` and ``delete`` once and return the answer."""
        [method] = [each.method for each in self.kind.verbs if each.name == verb]
        begun = time.monotonic()
        answer = getattr(self.driver, method)(argument)
        took = time.monotonic() - begun
        assert took < self.longest_call, f"{verb} blocked for {took:.0f} s: long work answers Wait"
        return answer

    def will_make(self, spec: Any) -> None:
        """Remember an object that a test is about to make, so that it is deleted at the test's end."""
        self.made.append(spec.uid)

    def settle(self, call: Callable[[], Any], *allowed: type[Any]) -> Any:
        """Repeat a call while it answers Wait or a transient error, as the engine does, and return its answer."""
        deadline = time.monotonic() + self.patience
        while True:
            pause = _LOOK_AGAIN_SECONDS
            try:
                answer = call()
            except TransientError as error:
                if time.monotonic() > deadline:
                    raise
                pause = error.retry_after or pause
            else:
                if not isinstance(answer, Wait):
                    assert not allowed or isinstance(answer, allowed), f"{answer!r} is not one of {allowed}"
                    return answer
                _check_wait(answer)
                assert time.monotonic() < deadline, f"no end after {self.patience:.0f} s: {answer.reason}"
                pause = answer.seconds
            time.sleep(min(pause, _LONGEST_PAUSE_SECONDS))

    def tidy(self) -> None:
        """Delete what the tests made."""
        for uid in dict.fromkeys(reversed(self.made)):
            try:
                self.delete(uid)
            except DriverError:  # the test that needed it gone has said so
                continue


def _checked(status: Any) -> Any:
    """See that a status survives its journey to the platform, and return what of it may be compared."""
    document = json.loads(json.dumps(to_json(status)))
    if "private" not in document:
        assert from_json(type(status), document) == status
        return status
    assert from_json(type(status), document) == replace(status, private=document["private"])
    return replace(status, private={})


def _check_wait(answer: Wait) -> None:
    assert math.isfinite(answer.seconds), f"{answer!r}: seconds must be a number"
    assert answer.seconds >= 0.0, f"{answer!r}: seconds must not be negative"
    json.dumps(to_json(answer.token))
