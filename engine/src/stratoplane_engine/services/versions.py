# SPDX-License-Identifier: Apache-2.0
"""The rule of optimistic locking: a change names the version that it was decided on."""

from typing import Protocol

from stratoplane.errors import VersionMismatchError
from stratoplane_engine.access.context import RequestContext


class Versioned(Protocol):
    """What has a name and a version."""

    @property
    def name(self) -> str:
        """Name, for people."""

    @property
    def version(self) -> int:
        """Grows with every change."""


def check_version(context: RequestContext, present: Versioned) -> None:
    """Go on only if the caller read the present version, or did not say which.

    Raises:
        VersionMismatchError: the object changed since; the caller reads it again and decides again.
    """
    if context.if_version is not None and context.if_version != present.version:
        detail = f"{present.name} is at version {present.version}, you read {context.if_version}; read it again"
        raise VersionMismatchError(detail)
