# SPDX-License-Identifier: Apache-2.0
"""Who asked and within which trace: ``X-Request-Id`` and W3C ``traceparent``."""

import re
import secrets
from dataclasses import dataclass
from typing import Final, Protocol

REQUEST_ID_HEADER: Final = "X-Request-Id"
TRACE_HEADER: Final = "traceparent"

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<rest>-.*)?"
)
_ZERO_TRACE: Final = "0" * 32
_ZERO_PARENT: Final = "0" * 16


class Headers(Protocol):
    """What gives a header's value by its name."""

    def get(self, name: str, default: str, /) -> str:
        """Return the header's value, or the default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """Identity of one request.

    Attributes:
        request_id: the caller's own, or a new one; echoed, logged and written to the audit trail.
        trace_id: 32 hexadecimal digits, carried on through job, operation, agent and driver call.
        parent: this request as a ``traceparent`` for whatever it causes.
    """

    request_id: str
    trace_id: str
    parent: str


def read_trace(headers: Headers) -> Trace:
    """Return the identity that the headers ask for; what is absent or malformed is generated, never refused.

    A request id may hold letters, digits and ``._:-`` only, so that it cannot forge log lines or headers.
    """
    request_id = headers.get(REQUEST_ID_HEADER, "")
    if _REQUEST_ID.fullmatch(request_id) is None:
        request_id = secrets.token_hex(16)
    trace_id, flags = _taken_in(headers.get(TRACE_HEADER, "")) or (secrets.token_hex(16), "01")
    return Trace(request_id=request_id, trace_id=trace_id, parent=f"00-{trace_id}-{secrets.token_hex(8)}-{flags}")


def _taken_in(traceparent: str) -> tuple[str, str] | None:
    match = _TRACEPARENT.fullmatch(traceparent.strip())
    if match is None or match["version"] == "ff" or (match["version"] == "00" and match["rest"]):
        return None
    if match["trace"] == _ZERO_TRACE or match["parent"] == _ZERO_PARENT:
        return None
    return match["trace"], match["flags"]
