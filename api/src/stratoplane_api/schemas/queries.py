# SPDX-License-Identifier: Apache-2.0
"""Query strings. A parameter that an operation does not know is refused, never ignored."""

import re
from typing import Any, ClassVar, Final

from marshmallow import Schema, fields, validate

from stratoplane.jobs import JobState
from stratoplane.kinds import AnyKind
from stratoplane_api.schemas import members
from stratoplane_api.schemas.members import Pattern, choice, identifier
from stratoplane_api.schemas.strict import Request

LARGEST_PAGE: Final = 200
DEFAULT_PAGE: Final = 50
SORTS: Final = ("created_at", "-created_at", "name", "-name")
LONGEST_WAIT: Final = 30


class Flag(fields.Boolean):
    """``true`` or ``false`` in a query string."""

    truthy = {"true"}
    falsy = {"false"}


class Whole(fields.Integer):
    """A whole number in a query string: digits alone, where Python's ``int`` takes spaces and underscores too."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) is None:
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class Query(Request):
    """The parameters of a query string; none of them sets anything."""

    member_noun: ClassVar[str] = "parameter"
    owned: ClassVar[frozenset[str]] = frozenset()


class NoQuery(Query):
    """No parameters at all."""


class ChangeQuery(Query):
    """What every mutation takes."""

    dry_run = Flag(
        load_default=False,
        metadata={"description": "Check and plan everything, keep nothing; answers 200 with what would be."},
    )


class PageQuery(Query):
    """What every list takes."""

    limit = Whole(
        load_default=DEFAULT_PAGE,
        validate=validate.Range(1, LARGEST_PAGE),
        metadata={"description": "The largest number of items on the page."},
    )
    cursor = fields.String(
        validate=Pattern(r"^[A-Za-z0-9_=-]{1,512}$", error="is not a valid cursor; leave it out to begin at the start"),
        metadata={"description": "The `next` member of the page before; left out for the first page."},
    )


class ResourceQuery(PageQuery):
    """What lists of resources take beside paging; :func:`resource_query` adds the statuses of a kind."""

    labels = fields.String(
        validate=validate.Length(max=2048),
        metadata={
            "description": "Only those whose labels agree: `key=value` and `key!=value`, separated by commas.",
            "examples": ["env=prod,tier!=web"],
        },
    )
    name_contains = fields.String(
        data_key="name~",
        validate=Pattern(r"^[a-z0-9-]{1,63}$", error="must be a part of a name: a-z, 0-9 and hyphen"),
        metadata={"description": "Only those whose name contains this."},
    )
    sort = fields.String(
        load_default="created_at",
        validate=validate.OneOf(SORTS, error="must be one of {choices}"),
        metadata={"description": "The order of the items; a minus sign reverses it."},
    )


def resource_query(kind: AnyKind) -> type[ResourceQuery]:
    """Return what the list of a kind's resources takes."""
    status = choice(kind.listed_statuses, "Only those with this status.")
    return type("ResourceQuery", (ResourceQuery,), {"status": status, "__doc__": ResourceQuery.__doc__})


class JobsQuery(PageQuery):
    """What lists of jobs take beside paging."""

    status = choice(JobState, "Only those in this state.")
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
    actor = members.text("Only what this actor caused, as in `user:alice`.", 256)
    action = members.text("Only events of this action, as in `tenant:resource:create-accepted`.", 128)
    since = fields.AwareDateTime(
        format="iso", metadata={"description": "Only events from this time on, with its zone (RFC 3339)."}
    )
    until = fields.AwareDateTime(
        format="iso", metadata={"description": "Only events before this time, with its zone (RFC 3339)."}
    )


class JobQuery(Query):
    """What reading one job takes."""

    wait = Whole(
        load_default=0,
        validate=validate.Range(0, LONGEST_WAIT),
        metadata={"description": "Seconds to hold the answer until the job ends."},
    )


def defaults(schema: Schema) -> dict[str, object]:
    """Return what ``schema`` makes of an empty query string."""
    loaded: dict[str, object] = schema.load({})
    return loaded
