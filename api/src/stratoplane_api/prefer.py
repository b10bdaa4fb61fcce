# SPDX-License-Identifier: Apache-2.0
"""``Prefer: wait=N`` (RFC 7240): hold the answer until the job ends or the time has passed."""

import re
from typing import Final

PREFER_HEADER: Final = "Prefer"
APPLIED_HEADER: Final = "Preference-Applied"
LONGEST_WAIT: Final = 30.0
"""Seconds that one request is held at most, so that no proxy between gives up first."""

_WAIT = re.compile(r'\s*wait\s*=\s*"?(\d{1,6})"?\s*(?:;.*)?', re.IGNORECASE)


def read_wait(value: str) -> float:
    """Return the seconds that a ``Prefer`` header asks to wait, at most :data:`LONGEST_WAIT`.

    Preferences are wishes: what is malformed or unknown counts as absent, and absent as 0.
    """
    for preference in value.split(","):
        match = _WAIT.fullmatch(preference)
        if match is not None:
            return min(float(match[1]), LONGEST_WAIT)
    return 0.0
