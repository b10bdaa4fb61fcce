# SPDX-License-Identifier: Apache-2.0
"""The rule of optimistic locking: a change names the version that it was decided on."""

from collections.abc import Mapping
from typing import Any, Protocol

from stratoplane.errors import VersionMismatchError
from stratoplane_engine.access.context import RequestContext


class Versioned(Protocol):
    """Something with a version that grows with every change."""

    @property
    def name(self) -> str:
        """Return its name, for people."""

    @property
    def version(self) -> int:
        """Return its version."""


def check_version(context: RequestContext, present: Versioned | Mapping[str, Any]) -> None:
    """Go on only if the caller read the present version, or did not say which.

    Raises:
        VersionMismatchError: the object changed since; the caller reads it again and decides again.
    """
    if isinstance(present, Mapping):  # a row of a module that does not make values yet
        name, version = present["name"], present["version"]
    else:
        name, version = present.name, present.version
    if context.if_version is not None and context.if_version != version:
        detail = f"{name} is at version {version}, you read {context.if_version}; read it again"
        raise VersionMismatchError(detail)
