# SPDX-License-Identifier: Apache-2.0
"""Times as the API shows them, for services that still render rows."""

from datetime import datetime


def instant(moment: datetime | str | None) -> str | None:
    """Return a time as RFC 3339 in UTC; text that the database already formatted passes through."""
    if moment is None or isinstance(moment, str):
        return moment
    return moment.isoformat().replace("+00:00", "Z")
