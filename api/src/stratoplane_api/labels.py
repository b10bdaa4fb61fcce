# SPDX-License-Identifier: Apache-2.0
"""Label selectors in a query string: ``env=prod,tier!=web``."""

import re
from dataclasses import dataclass, field
from typing import Final

from stratoplane.errors import Violation
from stratoplane_api.request_errors import InvalidQueryError
from stratoplane_api.schemas.members import LABEL_KEY_PATTERN, LABEL_VALUE_PATTERN

_KEY = re.compile(LABEL_KEY_PATTERN)
_VALUE = re.compile(LABEL_VALUE_PATTERN)
MOST_CONDITIONS: Final = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Selector:
    """Labels that must hold, and labels that must not."""

    equal: dict[str, str] = field(default_factory=dict)
    unequal: dict[str, str] = field(default_factory=dict)


def read_selector(text: str) -> Selector:
    """Return the conditions of ``text``; an empty text has none.

    Raises:
        InvalidQueryError: a condition is neither ``key=value`` nor ``key!=value``, a key comes twice, or there
            are more than :data:`MOST_CONDITIONS`.
    """
    selector = Selector()
    conditions = [each.strip() for each in text.split(",")] if text.strip() else []
    if len(conditions) > MOST_CONDITIONS:
        raise _wrong(f"must be at most {MOST_CONDITIONS} conditions")
    for condition in conditions:
        key, sign, value = condition.partition("=")
        wanted = selector.unequal if key.endswith("!") else selector.equal
        key, value = key.rstrip("!").strip(), value.removeprefix("=").strip()
        if not sign or _KEY.fullmatch(key) is None or _VALUE.fullmatch(value) is None:
            raise _wrong(f"{condition!r} is neither key=value nor key!=value")
        if key in wanted:
            raise _wrong(f"{key} comes twice")
        wanted[key] = value
    return selector


def _wrong(detail: str) -> InvalidQueryError:
    return InvalidQueryError(f"labels {detail}", [Violation(pointer="/labels", detail=detail)])
