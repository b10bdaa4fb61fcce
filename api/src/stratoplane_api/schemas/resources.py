# SPDX-License-Identifier: Apache-2.0
"""What every resource shows, and the answers around one: accepted and planned."""

import functools

from stratoplane.resources import ResourceStatus
from stratoplane_api.schemas import members as m
from stratoplane_api.schemas.jobs import Job
from stratoplane_api.schemas.strict import Answer, derive


class Resource(Answer):
    """Members of every kind."""

    id = m.identifier(required=True)
    name = m.name(required=True)
    labels = m.labels(required=True)
    status = m.choice(ResourceStatus, required=True)
    detail = m.text("Why it is in this state, for people; often empty.", required=True)
    project_id = m.identifier(required=True)
    organization_id = m.identifier(required=True)
    cluster = m.text("Name of the cluster it lives on, null for none.", required=True, allow_none=True)
    used_by = m.identifiers("Resources that use it, the first hundred.", 100, required=True)
    provider_reference = m.text("The provider's own id, empty until there is one.", required=True)
    version = m.whole("Grows with every change; part of the ETag.", required=True)
    generation = m.whole("Grows with every change of the desired state.", required=True)
    observed_generation = m.whole("The generation that the provider last reported.", required=True)
    created_at = m.moment("When it was accepted.", required=True)
    updated_at = m.moment("When it changed last.", required=True)


@functools.cache
def accepted(kind: str, resource: type[Answer]) -> type[Answer]:
    """Return the schema of the answer 202 to a change of ``kind``: the resource and its job."""
    return derive(
        f"{resource.__name__}Accepted",
        {kind: m.one(resource, required=True), "job": m.one(Job, required=True, allow_none=True)},
    )


@functools.cache
def planned(kind: str, resource: type[Answer]) -> type[Answer]:
    """Return the schema of the answer 200 to ``?dry_run=true``: the resource as it would be, and what it would take."""
    return derive(
        f"{resource.__name__}Plan",
        {
            kind: m.one(resource, required=True),
            "dry_run": m.flag(required=True),
            "cluster": m.text("Where it would go.", required=True, allow_none=True),
            "quota": m.amounts("What it would take more of each quota.", required=True),
            "steps": m.words((), "What its job would do.", required=True),
        },
    )
