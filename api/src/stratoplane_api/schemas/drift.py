# SPDX-License-Identifier: Apache-2.0
"""Differences between desired and observed state, the policies for them, and orphans."""

from marshmallow import fields

from stratoplane.compared_fields import DriftPolicy
from stratoplane_api.schemas import members as m
from stratoplane_api.schemas.queries import Flag, PageQuery
from stratoplane_api.schemas.strict import Answer, Request


class Drift(Answer):
    """A difference between desired and observed state."""

    id = m.identifier(required=True)
    organization_id = m.identifier(required=True)
    project_id = m.identifier(required=True)
    resource_id = m.identifier(required=True)
    kind = m.text(required=True)
    name = m.text(required=True)
    cluster = m.text(required=True, allow_none=True)
    field = m.text(required=True)
    desired = fields.Raw(required=True, allow_none=True, metadata={"description": "The desired value, any JSON."})
    observed = fields.Raw(required=True, allow_none=True, metadata={"description": "The observed value, any JSON."})
    policy = m.choice(DriftPolicy, "What the policy said to do about the drift.", required=True)
    corrections = m.whole("How many jobs were started to correct it.", required=True)
    job_id = m.identifier("Id of the last job that was started to correct the drift.", required=True, allow_none=True)
    found_at = m.timestamp("When the drift was found.", required=True)
    ended_at = m.timestamp(
        "When the drift was gone or was adopted as the desired state; null while it lasts.",
        required=True,
        allow_none=True,
    )


class Policy(Answer):
    """What is done about differences of one field."""

    kind = m.text(required=True)
    field = m.text(required=True)
    driver = m.text("A driver's name, or `*` for every one without a policy of its own.", required=True)
    policy = m.choice(DriftPolicy, required=True)
    is_set = m.flag("Whether an operator has set this policy; otherwise it is the platform's default.", required=True)
    allowed = m.strings((), "The policies that the field can have; the platform's default comes first.", required=True)


class Policies(Answer):
    """Every policy."""

    items = m.several(Policy, required=True)


class PolicyKey(Request):
    """Which policy is meant."""

    kind = m.line("The kind of resource, as in `virtual_machine`.", 64, required=True)
    field = m.line("The field of the resource, as in `power`.", 64, required=True)
    driver = m.text(
        "Name of a driver, or `*` for every driver without a policy of its own.", 64, load_default="*", shortest=1
    )


class PolicySet(PolicyKey):
    """What is to be done from now on."""

    policy = m.choice(DriftPolicy, required=True)


class Orphan(Answer):
    """An object that carries the platform's mark and belongs to no resource."""

    uid = m.identifier(required=True)
    kind = m.text(required=True)
    name = m.text("The object's name as the driver reports it, empty if it does not.", required=True)
    status = m.mapping("The object's status as the driver reports it.", required=True)
    cluster_id = m.identifier(required=True)
    cluster = m.text("Name of the cluster that lists the orphan.", required=True)
    first_seen_at = m.timestamp("When the object was first listed.", required=True)


class OrphanKey(Request):
    """Which orphan is meant."""

    cluster_id = m.identifier("Id of the cluster that lists the orphan.", required=True)
    uid = m.identifier("The mark of the object, as the list of orphans shows it.", required=True)


class DeleteOrphan(OrphanKey):
    """The orphan that is to be deleted, confirmed by its name."""

    name = m.text(
        "Confirms the deletion: the object's name as the list of orphans shows it, its uid if it has none.",
        255,
        shortest=1,
        required=True,
    )


class AdoptOrphan(OrphanKey):
    """Which orphan becomes a resource of which project."""

    project_id = m.identifier("Id of the project that gets the resource; its quotas are charged.", required=True)
    name = m.name("Name of the resource; the object is renamed to it where its driver can.", required=True)
    flavor = m.text("Id or name of the flavor that a virtual machine has; required for one.", 255, load_default="")
    image = m.text(
        "Id or name of the image that a virtual machine was made from; without one it boots from its first volume.",
        255,
        load_default="",
    )


class DriftQuery(PageQuery):
    """What the list of differences takes beside paging."""

    open = Flag(load_default=True, metadata={"description": "Only drift that has not ended."})
    resource_id = m.identifier("Only those of this resource.")
