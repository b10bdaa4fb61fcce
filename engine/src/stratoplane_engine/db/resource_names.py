# SPDX-License-Identifier: Apache-2.0
"""Resources that stand in the way of a deletion, as people read them."""

from collections.abc import Mapping
from dataclasses import dataclass

from stratoplane.kinds import display_name
from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.statement import Statement


@dataclass(frozen=True, kw_only=True, slots=True)
class _Named:
    kind: str
    name: str


def resource_names(connection: Connection, statement: Statement, parameters: Mapping[str, object]) -> list[str]:
    """Return the resources that a statement finds by ``kind`` and ``name``, as ``volume data``."""
    found = connection.all(_Named, statement, parameters)
    return [f"{display_name(each.kind)} {each.name}" for each in found]
