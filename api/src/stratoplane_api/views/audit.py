# SPDX-License-Identifier: Apache-2.0
"""The audit trail: an organization's and a project's for tenants, everything and its checkpoints for operators."""

from typing import Final
from uuid import UUID

from flask import Response, g

from stratoplane_api import answers
from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.gateway import context, database, page
from stratoplane_api.namespaces import OPS, TENANT
from stratoplane_api.presentation import audit as presentation
from stratoplane_api.schemas import examples
from stratoplane_api.schemas.jobs import AuditCheckpoint, AuditEvent
from stratoplane_api.schemas.queries import AuditQuery, PageQuery
from stratoplane_api.schemas.strict import list_of
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.model.audit import AuditFilter
from stratoplane_engine.services import audit

_TAG: Final = "Audit trail"
_PAGED: Final = frozenset({Feature.PAGED})


def _events(*, id: str, path: str, access: Permission, summary: str) -> Endpoint:  # noqa: A002  # as Endpoint has it
    return Endpoint(
        id=id,
        method="GET",
        path=path,
        access=access,
        summary=summary,
        tag=_TAG,
        query=AuditQuery,
        answer=list_of(AuditEvent),
        features=_PAGED,
        example={"items": [examples.AUDIT_EVENT], "next": None},
    )


@TENANT.add(
    _events(
        id="list_audit_events",
        path="/audit-events",
        access=Permission.AUDIT_READ,
        summary="List the audit events of the organization, newest first",
    )
)
def list_audit_events() -> Response:
    """Answer with events of the caller's organization."""
    found = audit.list_audit_events(database(), context(), page(), _wanted())
    return answers.page_of(found, presentation.audit_event)


@TENANT.add(
    _events(
        id="list_project_audit_events",
        path="/projects/<id:project_id>/audit-events",
        access=Permission.AUDIT_READ,
        summary="List the audit events of a project, newest first",
    )
)
def list_project_audit_events(project_id: UUID) -> Response:
    """Answer with events of one project."""
    found = audit.list_audit_events(database(), context(), page(), _wanted(), project_id=project_id)
    return answers.page_of(found, presentation.audit_event)


@OPS.add(
    _events(
        id="list_all_audit_events",
        path="/audit-events",
        access=Permission.PLATFORM_READ,
        summary="List the audit events of every organization, newest first",
    )
)
def list_all_audit_events() -> Response:
    """Answer with events of the whole platform."""
    found = audit.list_all_audit_events(database(), context(), page(), _wanted())
    return answers.page_of(found, presentation.audit_event)


@OPS.add(
    Endpoint(
        id="list_audit_checkpoints",
        method="GET",
        path="/audit-checkpoints",
        access=Permission.PLATFORM_READ,
        summary="List signed checkpoints of the audit trail, newest first",
        tag=_TAG,
        query=PageQuery,
        answer=list_of(AuditCheckpoint),
        features=_PAGED,
        example={"items": [examples.AUDIT_CHECKPOINT], "next": None},
    )
)
def list_audit_checkpoints() -> Response:
    """Answer with checkpoints to keep elsewhere."""
    found = audit.list_audit_checkpoints(database(), context(), page())
    return answers.page_of(found, presentation.audit_checkpoint)


def _wanted() -> AuditFilter:
    """Return which events the query string asks for."""
    subject = g.query.get("subject_id")
    return AuditFilter(
        subject_id=UUID(subject) if subject else None,
        actor=g.query.get("actor"),
        action=g.query.get("action"),
        since=g.query.get("since"),
        until=g.query.get("until"),
    )
