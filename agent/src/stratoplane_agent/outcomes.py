# SPDX-License-Identifier: Apache-2.0
"""Results of driver calls: from statuses and errors to what the control plane reads."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from stratoplane.errors import DriverError, PermanentError, StratoplaneError, TransientError
from stratoplane.messages import LONGEST_PROVIDER_TEXT, Operation, OperationResult, Outcome
from stratoplane.wire import to_json

DRIVER_BUG: Final = "driver_bug"
_ROOM_FOR_NOTE: Final = 64
_UNSTORABLE: Final = ("\\u0000", "\\ud")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How one operation ended; the attributes are those of OperationResult."""

    outcome: Outcome
    status: Mapping[str, object] | None = None
    code: str = ""
    detail: str = ""
    provider_text: str = ""
    retry_after: float | None = None


def done(status: Mapping[str, object] | None = None) -> Ending:
    """Return the ending of a successful call."""
    return Ending(outcome=Outcome.DONE, status=status)


def failed(error: StratoplaneError) -> Ending:
    """Return the ending that a driver's error means."""
    outcome = Outcome.UNCERTAIN
    if isinstance(error, TransientError):
        outcome = Outcome.TRANSIENT
    elif isinstance(error, PermanentError) or not isinstance(error, DriverError):
        outcome = Outcome.PERMANENT
    return Ending(
        outcome=outcome,
        code=error.code,
        detail=error.detail,
        provider_text=error.provider_text if isinstance(error, DriverError) else "",
        retry_after=_seconds(error.retry_after) if isinstance(error, TransientError) else None,
    )


def bug(driver: str, error: BaseException) -> Ending:
    """Return the ending of a call that raised something outside the contract: it may have taken effect."""
    text = f"{type(error).__name__}: {error}"
    return Ending(
        outcome=Outcome.UNCERTAIN,
        code=DRIVER_BUG,
        detail=f"the driver {driver} failed unexpectedly ({text}); this is a bug in the driver, see the agent's log",
        provider_text=text,
    )


def with_outcome(ending: Ending, outcome: Outcome) -> Ending:
    """Return the same ending with another outcome."""
    return replace(ending, outcome=outcome)


def encode(operation: Operation, ending: Ending, seconds: float) -> str:
    """Return the result of an operation as JSON text.

    Raises:
        ValueError, TypeError: the driver's status contains a value that cannot be written as JSON.
    """
    result = OperationResult(
        id=operation.id,
        epoch=operation.epoch,
        outcome=ending.outcome,
        code=ending.code,
        detail=_bounded(ending.detail),
        provider_text=_bounded(ending.provider_text),
        retry_after=ending.retry_after,
        duration_seconds=round(seconds, 6),
    )
    document = {**to_json(result), "status": ending.status}
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    if any(each in text for each in _UNSTORABLE):
        text = json.dumps(_storable(document), separators=(",", ":"), allow_nan=False)
    return text


def _seconds(wish: object) -> float | None:
    """Return a wait that JSON can say, None for what is not a number: the control plane decides how much it honours."""
    try:
        seconds = float(wish) if isinstance(wish, int | float) else math.nan
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) else None


def _bounded(text: str) -> str:
    """Return ``text``, the middle of an overlong one left out."""
    if len(text) <= LONGEST_PROVIDER_TEXT:
        return text
    half = (LONGEST_PROVIDER_TEXT - _ROOM_FOR_NOTE) // 2
    return f"{text[:half]}\n[{len(text) - 2 * half} characters left out]\n{text[-half:]}"


def _storable(value: object) -> object:
    """Return ``value`` without the characters that PostgreSQL or UTF-8 cannot store: NUL and lone surrogates."""
    if isinstance(value, str):
        whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole.replace("\x00", "\ufffd")
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return [_storable(each) for each in value] if isinstance(value, list) else value
