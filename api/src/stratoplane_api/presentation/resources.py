# SPDX-License-Identifier: Apache-2.0
"""Resources in the form that the API shows: the members that every kind has, and those of a kind between them."""

from collections.abc import Mapping

from stratoplane.kinds import AnyKind, Spec
from stratoplane.wire import to_json
from stratoplane_engine.kinds.compared import differences
from stratoplane_engine.model.resource import Resource


def resource(kind: AnyKind, value: Resource[Spec], own: Mapping[str, object]) -> dict[str, object]:
    """Return the wire form of a resource with the members of its kind."""
    return {
        "id": value.id,
        "organization_id": value.organization_id,
        "project_id": value.project_id,
        "name": value.name,
        "status": value.status,
        "detail": value.detail,
        "labels": value.labels,
        **own,
        "differences": [to_json(each) for each in differences(kind, value)],
        "used_by": value.used_by,
        "cluster": value.cluster,
        # The provider's own id is for operators; the member stays for those who read it.
        "provider_reference": "",
        "generation": value.generation,
        "observed_generation": value.observed_generation,
        "version": value.version,
        "created_at": value.created_at,
        "updated_at": value.updated_at,
    }


def resource_of_plugin(kind: AnyKind, value: Resource[Spec]) -> dict[str, object]:
    """Return the wire form of a resource of a plugin's kind, which says itself what it shows."""
    return resource(kind, value, to_json(kind.shown(value.spec, value.observed)))
