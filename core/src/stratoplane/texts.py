# SPDX-License-Identifier: Apache-2.0
"""Text that people write and others read: what one line may not hold, and how long a text is."""

import re
from typing import Final

NOT_IN_A_LINE: Final = r"\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff"
"""What one line may not hold, as the inside of a character class of regular expressions, JSON Schema's too.

Control characters and breaks of lines, what changes the direction of what follows, and what has no width: each lets a
text pass for another one where it is shown. The joiners U+200C and U+200D stay: Persian, Hindi and emoji need them.
"""
_UNFIT: Final = re.compile(f"[{NOT_IN_A_LINE}]")


def unfit_for_a_line(text: str) -> str | None:
    """Return the first character that one line may not hold, as ``U+202E``; None if there is none."""
    found = _UNFIT.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"


def size_in_bytes(text: str) -> int:
    """Return how many bytes a text takes in UTF-8: what guests, files and the network count."""
    return len(text.encode(errors="replace"))
