# SPDX-License-Identifier: Apache-2.0
"""Objects on clusters that the platform does not manage."""

from stratoplane_api.schemas import known_kinds
from stratoplane_api.schemas import members as m
from stratoplane_api.schemas.queries import PageQuery
from stratoplane_api.schemas.strict import Answer, Request


class ForeignObject(Answer):
    """An object at a provider that carries no mark of ours. It is listed, and not touched unless it is adopted."""

    cluster_id = m.identifier(required=True)
    cluster = m.text(required=True)
    kind = m.text("The kind of object, as in `virtual_machine`, `network` or `volume`.", required=True)
    reference = m.text("The id by which the provider knows the object.", required=True)
    name = m.text("The object's name at the provider.", required=True)
    status = m.mapping("The object's status as the driver reports it.", required=True)
    first_seen_at = m.timestamp("When an agent listed it first.", required=True)
    seen_at = m.timestamp("When an agent sent the list that it is on.", required=True)


class ForeignObjectsQuery(PageQuery):
    """What the list of foreign objects takes beside paging."""

    cluster_id = m.identifier("Only those of this cluster.")
    kind = known_kinds.made_by_drivers("Only those of this kind.")


class AdoptForeignObject(Request):
    """Which object becomes a resource of which project."""

    cluster_id = m.identifier("Id of the cluster that lists the object.", required=True)
    kind = known_kinds.adoptable("The kind of resource that the object becomes.", required=True)
    reference = m.text(
        "The provider's own id of the object, as the list of foreign objects shows it.", 255, shortest=1, required=True
    )
    project_id = m.identifier("Id of the project that gets the resource; its quotas are charged.", required=True)
    name = m.name("Name of the new resource; the object at the provider is renamed to it.", required=True)
