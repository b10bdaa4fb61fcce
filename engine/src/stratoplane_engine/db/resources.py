# SPDX-License-Identifier: Apache-2.0
"""Reading resources: one, and pages of many."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from stratoplane.kinds import Spec
from stratoplane_engine.db.connection import Connection, read
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.kinds.catalogue import Kinds
from stratoplane_engine.model.listing import Page
from stratoplane_engine.model.resource import Resource

COLUMNS: Final = """
    r.id, r.organization_id, r.project_id, r.kind, r.name, r.status, r.labels, r.spec, r.observed, r.quota_usage,
    r.provider_reference, r.cluster_id, r.generation, r.observed_generation, r.detail, r.version, r.created_at,
    r.updated_at, r.deleted_at, c.name AS cluster,
    ARRAY(SELECT l.source_id FROM resource_link l WHERE l.organization_id = r.organization_id AND l.target_id = r.id
        ORDER BY l.source_id LIMIT 100) AS used_by
"""
"""The members of a :class:`~stratoplane_engine.model.resource.Resource`, from resource ``r`` and cluster ``c``."""
_GET: Final = Statement(f"""
SELECT {COLUMNS} FROM resource r LEFT JOIN cluster c ON c.id = r.cluster_id
WHERE r.organization_id = :organization AND r.project_id = :project AND r.kind = :kind AND r.id = :id
""")
_SORTS: Final = {
    "created_at": ("r.id", ">", "ASC"),
    "-created_at": ("r.id", "<", "DESC"),
    "name": ("r.name", ">", "ASC"),
    "-name": ("r.name", "<", "DESC"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """The resources of one kind in a project."""

    organization_id: UUID
    project_id: UUID
    kind: str

    @property
    def parameters(self) -> dict[str, object]:
        """The parameters of statements over the collection."""
        return {"organization": self.organization_id, "project": self.project_id, "kind": self.kind}


def read_resource(kinds: Kinds, document: Mapping[str, object]) -> Resource[Spec]:
    """Return the resource of a row or JSON object with the members of :data:`COLUMNS`."""
    spec = kinds.read_spec(str(document["kind"]), document["spec"])
    resource: Resource[Spec] = read(Resource, {**document, "spec": spec})
    return resource


def get(connection: Connection, collection: Collection, resource_id: UUID) -> Resource[Spec] | None:
    """Return a resource, deleted ones too, None when there is none."""
    found = connection.documents(_GET, collection.parameters | {"id": resource_id})
    return read_resource(connection.kinds, found[0]) if found else None


def page(
    connection: Connection, collection: Collection, page: Page, *, after: str | UUID | None
) -> list[Resource[Spec]]:
    """Return one resource more than ``page`` shows, after the sort key ``after``: a name, or else an id.

    The cost does not grow with the table.
    """
    column, comparison, order = _SORTS[page.sort]
    conditions, parameters = _conditions(page), collection.parameters | _values(page)
    if after is not None:
        conditions.append(f"{column} {comparison} :after")
        parameters["after"] = after
    statement = f"""
        SELECT CAST(json_agg(p) AS text) FROM (
            SELECT {COLUMNS} FROM resource r LEFT JOIN cluster c ON c.id = r.cluster_id
            WHERE {" AND ".join(conditions)} ORDER BY {column} {order} LIMIT :limit) AS p
    """  # the parts are constants of this module; values are parameters
    return connection.listed(connection.kinds.resource_of(collection.kind), Statement(statement), parameters)


def _conditions(page: Page) -> list[str]:
    found = [
        "r.organization_id = :organization AND r.project_id = :project AND r.kind = :kind AND r.deleted_at IS NULL"
    ]
    if page.status:
        found.append("r.status = :status")
    if page.name_contains:
        found.append("position(:name_contains IN r.name) > 0")
    found += [f"r.labels ->> :label_key_{number} = :label_value_{number}" for number in range(len(page.labels))]
    found += [
        f"r.labels ->> :not_key_{number} IS DISTINCT FROM :not_value_{number}" for number in range(len(page.excluded))
    ]
    return found


def _values(page: Page) -> dict[str, object]:
    values: dict[str, object] = {
        "limit": page.limit + 1,
        "status": page.status,
        "name_contains": page.name_contains,
    }
    for number, (key, value) in enumerate(page.labels.items()):
        values |= {f"label_key_{number}": key, f"label_value_{number}": value}
    for number, (key, value) in enumerate(page.excluded.items()):
        values |= {f"not_key_{number}": key, f"not_value_{number}": value}
    return values
