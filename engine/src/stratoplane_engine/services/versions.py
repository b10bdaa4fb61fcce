# SPDX-License-Identifier: Apache-2.0
"""The rule of optimistic locking: a change names the version that it was decided on."""

from collections.abc import Mapping
from typing import Any

from stratoplane.errors import VersionMismatchError
from stratoplane_engine.access.context import RequestContext


def check_version(context: RequestContext, row: Mapping[str, Any]) -> None:
    """Go on only if the caller read the present version, or did not say which.

    Raises:
        VersionMismatchError: the object changed since; the caller reads it again and decides anew.
    """
    if context.if_version is not None and context.if_version != row["version"]:
        detail = f"{row['name']} is at version {row['version']}, you read {context.if_version}; read it again"
        raise VersionMismatchError(detail)
