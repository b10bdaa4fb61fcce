# SPDX-License-Identifier: Apache-2.0
"""What a refusal says of the server: whether another connection, a little later, would be served."""

from typing import Final

import psycopg

from stratoplane.errors import UnavailableError

_OF_NO_USE: Final = frozenset({"25006", "57P01", "57P02", "57P03"})
"""SQLSTATEs: only reads, shuts down by command, crashed, does not take connections yet."""
_IN_ANOTHER_STATE: Final = "55000"


def is_of_no_use(error: BaseException) -> bool:
    """Tell whether the server that answered so cannot serve us: it only reads, or is about to go away."""
    if not isinstance(error, psycopg.Error):
        return False
    recovers = error.sqlstate == _IN_ANOTHER_STATE and "recovery" in str(error)
    return error.sqlstate in _OF_NO_USE or recovers


def unavailable(error: Exception) -> UnavailableError:
    """Return what callers are told while the database does not serve."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    words = "only reads" if getattr(error, "sqlstate", None) == "25006" else "does not answer"
    return UnavailableError(f"the database {words} ({reason}); nothing was changed, try again shortly")
