# SPDX-License-Identifier: Apache-2.0
"""Organizations and projects on the wire."""

from stratoplane_engine.model.identity import Organization, Project


def organization(value: Organization) -> dict[str, object]:
    """Return the wire form of an organization."""
    return _owner(value)


def project(value: Project) -> dict[str, object]:
    """Return the wire form of a project."""
    return {**_owner(value), "organization_id": value.organization_id}


def _owner(value: Organization | Project) -> dict[str, object]:
    return {
        "id": value.id,
        "name": value.name,
        "display_name": value.display_name,
        "labels": value.labels,
        "version": value.version,
        "created_at": value.created_at,
        "updated_at": value.updated_at,
    }
