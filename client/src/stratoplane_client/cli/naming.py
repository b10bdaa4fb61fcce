# SPDX-License-Identifier: Apache-2.0
"""Resources by a name that they had: the audit trail tells."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from stratoplane_client.cli.kinds import Kind
from stratoplane_client.cli.session import Session
from stratoplane_client.errors import AccessDeniedError, NotFoundError

if TYPE_CHECKING:
    from stratoplane_client.models.jobs import AuditEvent

_MOST_EVENTS = 1000
"""Events that one command looks through for a name of the past."""


def formerly(session: Session, kind: Kind, wanted: str) -> Any:
    """Return the resource that had a name or id, None if the audit trail does not tell or may not be read.

    One that was deleted has nothing but its id and the name.
    """
    from dataclasses import replace

    from stratoplane_client.models.resources import Resource

    event = next((each for each in _events(session, kind) if wanted in {each.subject_name, each.subject_id}), None)
    if event is None or event.subject_id is None:
        return None
    try:
        return replace(kind.calls(session).get(event.subject_id), name=event.subject_name)
    except NotFoundError:
        return Resource(id=event.subject_id, name=event.subject_name)


def _events(session: Session, kind: Kind) -> "Iterator[AuditEvent]":
    return (each for each in past_events(session) if each.detail.get("kind") == kind.member)


def past_events(session: Session) -> "Iterator[AuditEvent]":
    """Yield what happened in the project lately, newest first; nothing if it may not be read."""
    try:
        yield from islice(session.client.audit_events(session.project_id).list(), _MOST_EVENTS)
    except AccessDeniedError:
        return
