# SPDX-License-Identifier: Apache-2.0
"""Differences between desired and observed state, the policies for them, and orphans."""

from marshmallow import fields

from stratoplane.kinds import DriftPolicy
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
    desired = fields.Raw(required=True, allow_none=True, metadata={"description": "JSON value."})
    observed = fields.Raw(required=True, allow_none=True, metadata={"description": "JSON value."})
    policy = m.choice(DriftPolicy, "What was to be done about it.", required=True)
    corrections = m.whole("How many jobs were started to correct it.", required=True)
    job_id = m.identifier("The last of them.", required=True, allow_none=True)
    found_at = m.moment("When it was found.", required=True)
    ended_at = m.moment("When it was gone, or had become what is desired.", required=True, allow_none=True)


class Policy(Answer):
    """What is done about differences of one field."""

    kind = m.text(required=True)
    field = m.text(required=True)
    driver = m.text("A driver's name, or `*` for every one without a policy of its own.", required=True)
    policy = m.choice(DriftPolicy, required=True)
    is_set = m.flag("Whether an operator has set it.", required=True)
    allowed = m.words((), "What it may be, the platform's own choice first.", required=True)


class Policies(Answer):
    """Every policy."""

    items = m.several(Policy, required=True)


class PolicyKey(Request):
    """Which policy is meant."""

    kind = m.text("As in `virtual_machine`.", 64, required=True)
    field = m.text("As in `power`.", 64, required=True)
    driver = m.text("A driver's name, or `*`.", 64, load_default="*", shortest=1)


class PolicySet(PolicyKey):
    """What is to be done from now on."""

    policy = m.choice(DriftPolicy, required=True)


class Orphan(Answer):
    """An object that carries the platform's mark and belongs to no resource."""

    uid = m.identifier(required=True)
    kind = m.text(required=True)
    cluster_id = m.identifier(required=True)
    cluster = m.text("The cluster's name.", required=True)
    first_seen_at = m.moment("When it was listed first.", required=True)


class DriftQuery(PageQuery):
    """What the list of differences takes beside paging."""

    open = Flag(load_default=True, metadata={"description": "Only those that last."})
    resource_id = m.identifier("Only those of this resource.")
