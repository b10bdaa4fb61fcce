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
    kind = m.text("As in `virtual_machine`.", required=True)
    reference = m.text("The provider's own id of it.", required=True)
    name = m.text("What the provider calls it.", required=True)
    status = m.mapping("As the driver shows it.", required=True)
    first_seen_at = m.moment("When an agent listed it first.", required=True)
    seen_at = m.moment("When an agent sent the list that it is on.", required=True)


class ForeignObjectsQuery(PageQuery):
    """What the list of foreign objects takes beside paging."""

    cluster_id = m.identifier("Only those of this cluster.")
    kind = known_kinds.made_by_drivers("Only those of this kind.")


class AdoptForeignObject(Request):
    """Which object becomes a resource of which project."""

    cluster_id = m.identifier("Where it is.", required=True)
    kind = known_kinds.adoptable("What it is.", required=True)
    reference = m.text("The provider's own id, as it is listed.", 255, shortest=1, required=True)
    project_id = m.identifier("Whose it becomes; its quotas are charged.", required=True)
    name = m.name("Of the new resource; the object is renamed to it.", required=True)
