# SPDX-License-Identifier: Apache-2.0
"""Injected faults: what goes wrong with which calls, and how often."""

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID


class Fault(StrEnum):
    """What can go wrong."""

    UNAVAILABLE = "unavailable"
    """The region answers 503; nothing happened."""
    RATE_LIMITED = "rate_limited"
    """The region answers 429; nothing happened."""
    NO_CAPACITY = "no_capacity"
    """The region reports that it is full; nothing happened."""
    LOST_BEFORE = "lost_before"
    """The request is lost on its way, which the caller cannot know."""
    LOST_AFTER = "lost_after"
    """The request takes effect and the reply is lost."""
    SLOW = "slow"
    """The request takes effect and the reply comes ``delay_seconds`` later."""
    LATE = "late"
    """The reply is lost, and the request takes effect only ``delay_seconds`` later."""
    PARTIAL = "partial"
    """The call is cut off at its step number ``step``; what was done before stays."""
    CRASH = "crash"
    """The process is killed (SIGKILL) at step number ``step``, or right after the effect when ``step`` is 0."""
    VANISH = "vanish"
    """The object is gone right after the reply."""
    HIDE = "hide"
    """The object exists, but is invisible for ``delay_seconds``."""
    DRIFT = "drift"
    """Right after the reply somebody switches the machine, or turns off the network."""
    RENAME = "rename"
    """Right after the reply somebody renames the object."""
    FOREIGN = "foreign"
    """Right after the reply another installation's object of the same kind appears."""
    ORPHAN = "orphan"
    """Right after the reply an object with our mark appears that the platform does not know."""


class Kind(StrEnum):
    """Kinds of objects in the region."""

    MACHINE = "machine"
    NETWORK = "network"
    VOLUME = "volume"
    BUCKET = "bucket"


READ_FAULTS: Final = frozenset({Fault.UNAVAILABLE, Fault.RATE_LIMITED, Fault.LOST_BEFORE, Fault.LOST_AFTER, Fault.SLOW})
"""Faults of calls that change nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One driver call: the kind of object, the verb, and the object (None for all of them)."""

    kind: Kind
    verb: str
    uid: UUID | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultRule:
    """One entry of the fault plan.

    Attributes:
        kind: only calls about this kind, empty for every kind.
        verb: only calls of this verb; empty for every verb that changes something, ``*`` for every verb.
        uid: only calls about this object, empty for every object.
        rate: share of the matching calls that go wrong, 0 to 1.
        times: how many calls go wrong at most, None for no limit.
        seconds: how long the rule applies after it was set, None for ever.
        step: at which step ``partial`` and ``crash`` cut the call off, from 1; 0 for the first.
        delay_seconds: of ``slow``, ``late`` and ``hide``.
        retry_after: seconds that ``unavailable`` and ``rate_limited`` ask for.
        seed: with the same seed, the same calls by their order go wrong.
    """

    fault: Fault
    kind: str = ""
    verb: str = ""
    uid: str = ""
    rate: float = 1.0
    times: int | None = None
    seconds: float | None = None
    step: int = 0
    delay_seconds: float = 1.0
    retry_after: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.rate <= 1.0:
            raise ValueError(f"{self.fault}: the rate {self.rate} is not between 0 and 1")
        if self.kind not in {"", *Kind}:
            raise ValueError(f"{self.fault}: {self.kind!r} must be one of {', '.join(Kind)}")

    def matches(self, call: Call, *, changing: bool) -> bool:
        """Tell whether the rule applies to ``call``."""
        if not changing and (self.verb == "" or self.fault not in READ_FAULTS):
            return False
        return self.kind in ("", call.kind) and self.verb in ("", "*", call.verb) and self.uid in ("", str(call.uid))

    def hits(self, ordinal: int) -> bool:
        """Tell whether the matching call number ``ordinal`` goes wrong: the same answer for the same seed."""
        text = f"{self.seed}/{self.fault}/{self.kind}/{self.verb}/{self.uid}/{ordinal}"
        drawn = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        return drawn < self.rate * 2.0**64

    def to_json(self) -> str:
        """Return the rule as a JSON object without default values."""
        chosen = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        }
        return json.dumps(chosen)


_SHORT: Final = re.compile(
    r"(?P<fault>[a-z_]+)(@((?P<kind>[a-z]+)\.)?(?P<verb>[a-z_*]+))?(=(?P<rate>[0-9.]+))?(x(?P<times>[0-9]+))?"
)


def parse_rule(text: str) -> FaultRule:
    """Make a rule from its short form ``fault[@[kind.]verb][=rate][xTIMES]`` or from a JSON object.

    Raises:
        ValueError: the text is not a rule; the message says why.
    """
    if text.lstrip().startswith("{"):
        return rule_from_json(json.loads(text))
    match = _SHORT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not of the form fault@kind.verb=rate, such as lost_after@machine.create=0.1")
    parts = {name: value for name, value in match.groupdict().items() if value}
    times = {"times": int(parts.pop("times"))} if "times" in parts else {}
    rate = {"rate": float(parts.pop("rate"))} if "rate" in parts else {}
    return rule_from_json({**parts, **times, **rate})


def rule_from_json(document: object) -> FaultRule:
    """Make a rule from a JSON object. Raises ValueError that says what is wrong with it."""
    if not isinstance(document, dict):
        raise ValueError("a rule must be a JSON object")  # noqa: TRY004  # one error for everything wrong with a rule
    known = {field.name for field in dataclasses.fields(FaultRule)}
    if unknown := sorted(document.keys() - known):
        raise ValueError(f"unknown {', '.join(unknown)}; choose from {', '.join(sorted(known))}")
    if document.get("fault") not in list(Fault):
        raise ValueError(f"{document.get('fault')!r} is not a known fault; choose one of {', '.join(Fault)}")
    try:
        return FaultRule(**{**document, "fault": Fault(document["fault"])})
    except TypeError as error:
        raise ValueError(f"a value of the rule is of the wrong type: {error}") from error
