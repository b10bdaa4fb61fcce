# SPDX-License-Identifier: Apache-2.0
"""The naming policy: new names must match the operator's pattern."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from stratoplane.errors import Violation
from stratoplane.hookspecs import AdmissionRequest, hookimpl
from stratoplane.settings import setting


@dataclass(frozen=True, kw_only=True)
class NamingSettings:
    """Settings of the naming policy."""

    pattern: str = setting(
        "[a-z].*",
        help="regular expression that a whole name must match; by default names start with a letter",
        env="STRATOPLANE_NAMING_PATTERN",
    )
    reason: str = setting(
        "",
        help="message to the user when a name does not match; the pattern itself when empty",
        env="STRATOPLANE_NAMING_REASON",
    )
    kinds: tuple[str, ...] = setting(
        (),
        help="kinds of resources that the policy applies to, such as virtual_machine,network; all when empty",
        env="STRATOPLANE_NAMING_KINDS",
    )

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"pattern: {self.pattern!r} is not a valid regular expression: {error}") from error


class NamingPolicy:
    """Checks the names of resources that are created or changed."""

    Settings: ClassVar = NamingSettings

    def __init__(self, settings: NamingSettings) -> None:
        self._pattern: Final = re.compile(settings.pattern)
        self._kinds: Final = frozenset(settings.kinds)
        self._reason: Final = settings.reason or f"names must match {settings.pattern}"

    @hookimpl
    def stratoplane_admit(self, request: AdmissionRequest) -> Sequence[Violation]:
        """Refuse a new name that violates the policy; an existing one can still be changed and deleted."""
        if request.action == "delete" or request.name == request.previous_name:
            return ()
        if self._kinds and request.kind not in self._kinds:
            return ()
        if self._pattern.fullmatch(request.name):
            return ()
        return (Violation(pointer="/name", detail=f"{request.name!r} violates the naming policy: {self._reason}"),)
