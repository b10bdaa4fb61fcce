# SPDX-License-Identifier: Apache-2.0
"""What a refusal says of the server: whether another connection, a little later, would be served."""

from types import MappingProxyType
from typing import Final

import psycopg

from stratoplane.errors import DatabaseExhaustedError, UnavailableError

_OF_NO_USE: Final = frozenset({"25006", "57P01", "57P02", "57P03"})
"""SQLSTATEs: only reads, shuts down by command, crashed, does not take connections yet."""
_IN_ANOTHER_STATE: Final = "55000"
_EXHAUSTED: Final = ("53", "58")
"""Classes of SQLSTATE: insufficient resources, and errors of the system below PostgreSQL."""
_LACKS: Final = MappingProxyType({"53100": "disk space", "53200": "memory", "53300": "connections"})


def is_of_no_use(error: BaseException) -> bool:
    """Tell whether the server that answered so cannot serve us: it only reads, or is about to go away."""
    if not isinstance(error, psycopg.Error):
        return False
    recovers = error.sqlstate == _IN_ANOTHER_STATE and "recovery" in str(error)
    return error.sqlstate in _OF_NO_USE or recovers


def unavailable(error: Exception) -> UnavailableError:
    """Return what callers are told. What a refusal for want of room says names files, so it stays in the cause."""
    state = str(getattr(error, "sqlstate", None) or "")
    if state.startswith(_EXHAUSTED):
        lack = _LACKS.get(state, "resources")
        return DatabaseExhaustedError(f"the database has run out of {lack}; nothing was changed, tell an operator")
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    words = "only reads" if state == "25006" else "does not answer"
    return UnavailableError(f"the database {words} ({reason}); nothing was changed, try again shortly")
