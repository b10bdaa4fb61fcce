# SPDX-License-Identifier: Apache-2.0
"""Trace contexts of requests, which jobs, operations and audit events carry (W3C Trace Context)."""

from typing import Final

_HYPHENS: Final = 3


def trace_id(trace_parent: str) -> str:
    """Return the trace id inside a ``traceparent`` (version-trace-span-flags), empty when there is none."""
    return trace_parent.split("-")[1] if trace_parent.count("-") >= _HYPHENS else ""
