# SPDX-License-Identifier: Apache-2.0
"""Clusters and what serves them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.errors import IntegrityError

from stratoplane.audit import AuditAction
from stratoplane.errors import InUseError, NameTakenError, ResourceNotFoundError
from stratoplane.ids import new_id
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit
from stratoplane_engine.db import clusters as rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.kinds.wire_form import instant
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import credentials, cursors, listings
from stratoplane_engine.services.audit_records import operator_record, record
from stratoplane_engine.services.enrolment import pinned
from stratoplane_engine.services.versions import check_version

JOIN_TOKEN_LIFETIME: Final = timedelta(hours=1)
_PROVIDER_SORT: Final = "provider"


def _wire(row: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: instant(row[name]) for name in ("seen_at", "created_at", "updated_at")}
    return {**row, "id": str(row["id"]), **times}


def list_clusters(database: Database, context: RequestContext, page: Page) -> Listing[Mapping[str, object]]:
    """Return a page of clusters, for operators."""
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        found = rows.page(connection, after=listings.after(page), limit=page.limit + 1)
    return listings.listing(found, page, _wire)


def list_cluster_names(database: Database, context: RequestContext, page: Page) -> Listing[Mapping[str, object]]:
    """Return a page of clusters as tenants see them: name, features, whether it is connected."""
    require(context, Permission.SELF, own=True)
    with database.system() as connection:
        found = rows.page(connection, after=listings.after(page), limit=page.limit + 1)
    return listings.listing(found, page, _name_wire)


def _name_wire(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("name", "features", "online")}


def get_cluster(database: Database, context: RequestContext, cluster_id: UUID) -> dict[str, Any]:
    """Return one cluster, for operators. Raises ResourceNotFoundError."""
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        return _wire(_existing(connection, cluster_id))


def _existing(connection: Connection, cluster_id: UUID, *, lock: bool = False) -> dict[str, Any]:
    found = rows.get(connection, cluster_id, lock=lock)
    if found is None:
        raise ResourceNotFoundError(f"there is no cluster {cluster_id}; list the clusters")
    return found


def create_cluster(database: Database, context: RequestContext, body: Mapping[str, Any]) -> dict[str, Any]:
    """Make a cluster; it takes resources once its agent has enrolled. Raises NameTakenError."""
    require(context, Permission.PLATFORM_WRITE)
    cluster_id = new_id()
    try:
        with database.system() as connection:
            rows.insert(connection, {"description": "", "labels": {}, **body, "id": cluster_id})
            audit.write(connection, record(context, AuditAction.CLUSTER_CREATED, cluster_id, body["name"]))
            return _wire(_existing(connection, cluster_id))
    except IntegrityError as error:
        raise NameTakenError(f"there is a cluster named {body['name']!r} already; choose another name") from error


def update_cluster(
    database: Database, context: RequestContext, cluster_id: UUID, patch: Mapping[str, Any]
) -> dict[str, Any]:
    """Change description, labels or state. Raises ResourceNotFoundError, VersionMismatchError."""
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        row = _existing(connection, cluster_id, lock=True)
        check_version(context, row)
        rows.update(connection, {**row, **patch})
        event = record(context, AuditAction.CLUSTER_UPDATED, cluster_id, row["name"], detail=dict(patch))
        audit.write(connection, event)
        return _wire(_existing(connection, cluster_id))


def delete_cluster(database: Database, context: RequestContext, cluster_id: UUID) -> None:
    """End an empty cluster; its agents' credentials end with it.

    Raises:
        InUseError: resources are on it. ResourceNotFoundError, VersionMismatchError.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        row = _existing(connection, cluster_id, lock=True)
        check_version(context, row)
        if left := rows.resources_left(connection, cluster_id):
            raise InUseError(f"cluster {row['name']} holds {', '.join(left)}; delete those first", used_by=left)
        rows.delete(connection, cluster_id)
        audit.write(connection, record(context, AuditAction.CLUSTER_DELETED, cluster_id, row["name"]))


def create_join_token(
    database: Database,
    context: RequestContext,
    cluster_id: UUID,
    lifetime: timedelta = JOIN_TOKEN_LIFETIME,
    *,
    certificate_pin: str = "",
) -> dict[str, Any]:
    """Return a new one-use join token for an agent of the cluster, shown this once.

    Args:
        database: keeps its digest.
        context: who asks.
        cluster_id: the one cluster that it opens.
        lifetime: how long it can be used.
        certificate_pin: fingerprint of the certificate that agents see; empty when none was configured.

    Raises:
        ResourceNotFoundError: there is no such cluster.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        row = _existing(connection, cluster_id)
        made = _insert_join_token(connection, cluster_id, lifetime, certificate_pin)
        audit.write(connection, record(context, AuditAction.JOIN_TOKEN_CREATED, cluster_id, row["name"]))
        return made


def _insert_join_token(
    connection: Connection, cluster_id: UUID, lifetime: timedelta, certificate_pin: str = ""
) -> dict[str, Any]:
    secret, token_id = credentials.new_token("join"), new_id()
    values = {
        "id": token_id,
        "cluster_id": cluster_id,
        "secret_hash": credentials.token_hash(secret),
        "lifetime": lifetime.total_seconds(),
    }
    ends = rows.insert_join_token(connection, values)
    token = pinned(connection, secret, certificate_pin)
    return {"id": str(token_id), "cluster_id": str(cluster_id), "token": token, "expires_at": instant(ends)}


def ensure_local_cluster(database: Database, name: str) -> tuple[UUID, str]:
    """Return the id of the cluster ``name``, made if there is none, and a join token for its agent.

    For the operator's own command on the control plane's machine, which needs no permission beyond the database.
    """
    with database.system() as connection:
        found = rows.by_name(connection, name)
        cluster_id: UUID = found["id"] if found else new_id()
        if found is None:
            description = "served by the agent beside the control plane"
            rows.insert(connection, {"id": cluster_id, "name": name, "description": description, "labels": {}})
            audit.write(connection, operator_record(AuditAction.CLUSTER_CREATED, cluster_id, name))
        token: str = _insert_join_token(connection, cluster_id, JOIN_TOKEN_LIFETIME)["token"]
        audit.write(connection, operator_record(AuditAction.JOIN_TOKEN_CREATED, cluster_id, name))
        return cluster_id, token


def list_providers(database: Database, context: RequestContext, page: Page) -> Listing[Mapping[str, object]]:
    """Return a page of every cluster's drivers as their agents reported them."""
    require(context, Permission.PLATFORM_READ)
    cluster, _, interface = (cursors.decode(_PROVIDER_SORT, page.cursor) or "").partition("/")
    with database.system() as connection:
        found = rows.providers(connection, after=(cluster, interface), limit=page.limit + 1)
    shown = found[: page.limit]
    items = tuple(
        {**row, "cluster_id": str(row["cluster_id"]), "reported_at": instant(row["reported_at"])} for row in shown
    )
    more = len(found) > page.limit
    last = f"{shown[-1]['cluster']}/{shown[-1]['interface']}" if more else ""
    return Listing(items=items, next=cursors.encode(_PROVIDER_SORT, last) if more else None)
