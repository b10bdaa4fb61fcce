# SPDX-License-Identifier: Apache-2.0
"""What every resource shows, and the answers around one: accepted and planned."""

import functools

from marshmallow import fields

from stratoplane.resources import ResourceStatus
from stratoplane.spec_changes import Interruption
from stratoplane_api.schemas import members as m
from stratoplane_api.schemas.jobs import Job
from stratoplane_api.schemas.strict import Answer, derive


class FieldDifference(Answer):
    """A field that was last observed otherwise than it is desired."""

    field = m.text(required=True)
    desired = fields.Raw(required=True, allow_none=True, metadata={"description": "The desired value, any JSON."})
    observed = fields.Raw(required=True, allow_none=True, metadata={"description": "The observed value, any JSON."})


class Resource(Answer):
    """Members of every kind."""

    id = m.identifier(required=True)
    name = m.name(required=True)
    labels = m.labels(required=True)
    status = m.choice(ResourceStatus, required=True)
    detail = m.text(
        "Why the resource has this status, or what its job waits for, for people; often empty.", required=True
    )
    project_id = m.identifier(required=True)
    organization_id = m.identifier(required=True)
    differences = m.several(
        FieldDifference,
        required=True,
        metadata={
            "description": "The fields that were last observed otherwise than desired; empty if all is as desired."
        },
    )
    cluster = m.text(
        "Name of the cluster that the resource is on; null if it is on none.", required=True, allow_none=True
    )
    used_by = m.identifiers("Ids of the resources that use this one; the first hundred are listed.", 100, required=True)
    provider_reference = m.text("Always empty: the provider's own id is for operators.", required=True)
    version = m.whole("Grows with every change; part of the ETag.", required=True)
    generation = m.whole("Grows with every change of the desired state.", required=True)
    observed_generation = m.whole("The generation that the provider last reported.", required=True)
    created_at = m.timestamp("When the request for the resource was accepted.", required=True)
    updated_at = m.timestamp("When the object was last changed.", required=True)


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
            "cluster": m.text(
                "Name of the cluster that the resource would be placed on.", required=True, allow_none=True
            ),
            "quota": m.amounts("What the change would take of each quota in addition.", required=True),
            "job_kind": m.text("What the job would be called; null without one.", required=True, allow_none=True),
            "steps": m.strings((), "The steps that the job would have.", required=True),
            "interruption": m.choice(
                Interruption,
                "What the change does to a resource that runs: STOP it, or stop it and start it again (RESTART).",
                required=True,
                allow_none=True,
            ),
            "effect": m.text("The same in words for people; empty if nothing is interrupted.", required=True),
        },
    )
