# SPDX-License-Identifier: Apache-2.0
"""Query strings. A parameter that an operation does not know is refused, never ignored."""

from typing import Final

from marshmallow import Schema, fields, validate

from stratoplane.jobs import JobState
from stratoplane_api.schemas.members import Pattern, identifier
from stratoplane_api.schemas.strict import Request

LARGEST_PAGE: Final = 200
DEFAULT_PAGE: Final = 50
SORTS: Final = ("created_at", "-created_at", "name", "-name")
LONGEST_WAIT: Final = 30


class Flag(fields.Boolean):
    """``true`` or ``false`` in a query string."""

    truthy = {"true"}
    falsy = {"false"}


class NoQuery(Request):
    """No parameters at all."""


class ChangeQuery(Request):
    """What every mutation takes."""

    dry_run = Flag(
        load_default=False,
        metadata={"description": "Check and plan everything, keep nothing; answers 200 with what would be."},
    )


class PageQuery(Request):
    """What every list takes."""

    limit = fields.Integer(
        load_default=DEFAULT_PAGE,
        validate=validate.Range(1, LARGEST_PAGE),
        metadata={"description": "The largest number of items on the page."},
    )
    cursor = fields.String(
        validate=Pattern(r"^[A-Za-z0-9_=-]{0,512}$", error="is not a valid cursor; leave it out to begin at the start"),
        metadata={"description": "The `next` member of the page before; left out for the first page."},
    )


class ResourceQuery(PageQuery):
    """What lists of resources take beside paging."""

    status = fields.String(
        validate=Pattern(r"^[A-Z]{0,16}$", error="must be a status in capitals, as RUNNING"),
        metadata={"description": "Only those with this status.", "examples": ["RUNNING"]},
    )
    labels = fields.String(
        validate=validate.Length(max=2048),
        metadata={
            "description": "Only those whose labels agree: `key=value` and `key!=value`, separated by commas.",
            "examples": ["env=prod,tier!=web"],
        },
    )
    name_contains = fields.String(
        data_key="name~",
        validate=Pattern(r"^[a-z0-9-]{0,63}$", error="must be a part of a name: a-z, 0-9 and hyphen"),
        metadata={"description": "Only those whose name contains this."},
    )
    sort = fields.String(
        load_default="created_at",
        validate=validate.OneOf(SORTS, error="must be one of {choices}"),
        metadata={"description": "The order of the items; a minus sign reverses it."},
    )


class JobsQuery(PageQuery):
    """What lists of jobs take beside paging."""

    status = fields.String(
        validate=validate.OneOf([str(state) for state in JobState], error="must be one of {choices}"),
        metadata={"description": "Only those in this state."},
    )
    resource_id = identifier("Only those of this resource.")


class LeaksQuery(PageQuery):
    """What the list of leaks takes beside paging."""

    open = Flag(load_default=True, metadata={"description": "Only unresolved leaks."})


class AgentQuery(PageQuery):
    """What the list of agents takes beside paging."""

    cluster_id = identifier("Only those of this cluster.")


class ProjectsQuery(PageQuery):
    """What the list of every organization's projects takes beside paging."""

    organization_id = identifier("Only those of this organization.")


class AuditQuery(PageQuery):
    """What lists of audit events take beside paging."""

    subject_id = identifier("Only events about the object with this id.")
    actor = fields.String(
        validate=validate.Length(max=256),
        metadata={"description": "Only what this actor caused.", "examples": ["user:alice"]},
    )
    action = fields.String(
        validate=validate.Length(max=128),
        metadata={"description": "Only events of this action.", "examples": ["resource.create.accepted"]},
    )
    since = fields.AwareDateTime(
        format="iso", metadata={"description": "Only events from this time on, with its zone (RFC 3339)."}
    )
    until = fields.AwareDateTime(
        format="iso", metadata={"description": "Only events before this time, with its zone (RFC 3339)."}
    )


class JobQuery(Request):
    """What reading one job takes."""

    wait = fields.Integer(
        load_default=0,
        validate=validate.Range(0, LONGEST_WAIT),
        metadata={"description": "Seconds to hold the answer until the job ends."},
    )


def defaults(schema: Schema) -> dict[str, object]:
    """Return what ``schema`` makes of an empty query string."""
    loaded: dict[str, object] = schema.load({})
    return loaded
