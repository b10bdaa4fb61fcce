# SPDX-License-Identifier: Apache-2.0
"""The nouns that tenants and operators are both shown, each in the namespace of their own."""

from typing import Final

from stratoplane_api.declarations import Noun
from stratoplane_api.endpoints import Endpoint
from stratoplane_api.schemas import examples, identity
from stratoplane_api.schemas.platform import Quotas
from stratoplane_api.schemas.strict import list_of
from stratoplane_engine.access.permissions import Permission

ORGANIZATION: Final = Noun(tag="Organizations", answer=identity.Organization, example=examples.ORGANIZATION)
PROJECT: Final = Noun(tag="Projects", answer=identity.Project, example=examples.PROJECT)
USER: Final = Noun(tag="Users", answer=identity.User, example=examples.USER)
ROLE_BINDING: Final = Noun(tag="Role bindings", answer=identity.RoleBinding, example=examples.ROLE_BINDING)
QUOTAS: Final = Noun(tag="Quotas", answer=Quotas, example=examples.QUOTAS)


def listing_roles(operation_id: str) -> Endpoint:
    """Return the declaration of the list of roles, which everybody may read."""
    return Endpoint(
        id=operation_id,
        method="GET",
        path="/roles",
        access=Permission.SELF,
        summary="List roles",
        description="There are few: they come on one page.",
        tag="Roles",
        answer=list_of(identity.Role),
        example={"items": [examples.ROLE], "next": None},
    )
