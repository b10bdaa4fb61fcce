# SPDX-License-Identifier: Apache-2.0
"""Clusters and what serves them."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from psycopg.errors import UniqueViolation

from stratoplane.audit import AuditAction
from stratoplane.errors import InUseError, NameTakenError, ResourceNotFoundError
from stratoplane.ids import new_id
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit
from stratoplane_engine.db import clusters as rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.cluster import (
    Cluster,
    ClusterDraft,
    ClusterPatch,
    ClusterState,
    IssuedJoinToken,
    Provider,
)
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import credentials, listings
from stratoplane_engine.services.audit_records import given_members, operator_record, record
from stratoplane_engine.services.credentials import TokenPrefix
from stratoplane_engine.services.enrolment import join_token_text
from stratoplane_engine.services.versions import check_version

_ORDER: Final = listings.oldest_first(Cluster)

JOIN_TOKEN_LIFETIME: Final = timedelta(hours=1)
_BY_PROVIDER: Final[listings.Order[Provider, str]] = listings.Order(
    name="provider", key=lambda provider: f"{provider.cluster}/{provider.interface}", read=str
)


def list_clusters(database: Database, context: RequestContext, page: Page) -> Listing[Cluster]:
    """Return a page of clusters, for operators. Raises PermissionDeniedError."""
    require(context, Permission.PLATFORM_READ)
    return list_cluster_names(database, page)


def list_cluster_names(database: Database, page: Page) -> Listing[Cluster]:
    """Return a page of clusters, of which every user may see name, features and whether it is connected."""
    after = _ORDER.begin(page)
    with database.system_reads() as connection:
        found = rows.page(connection, after=after, limit=page.limit + 1)
    return _ORDER.listing(found, page)


def get_cluster(database: Database, context: RequestContext, cluster_id: UUID) -> Cluster:
    """Return one cluster, for operators. Raises ResourceNotFoundError."""
    require(context, Permission.PLATFORM_READ)
    with database.system_reads() as connection:
        return _found_or_raise(cluster_id, rows.get(connection, cluster_id))


def _found_or_raise(cluster_id: UUID, found: Cluster | None) -> Cluster:
    if found is None:
        raise ResourceNotFoundError(f"there is no cluster {cluster_id}; list the clusters")
    return found


def _lock_or_raise(connection: Connection, context: RequestContext, cluster_id: UUID) -> Cluster:
    found = _found_or_raise(cluster_id, rows.lock(connection, cluster_id))
    check_version(context, found)
    return found


def create_cluster(database: Database, context: RequestContext, draft: ClusterDraft) -> Cluster:
    """Make a cluster; it takes resources once its agent has enrolled. Raises NameTakenError."""
    require(context, Permission.PLATFORM_WRITE)
    try:
        with database.system() as connection:
            made = rows.insert(connection, new_id(), draft)
            audit.write(connection, record(context, AuditAction.CLUSTER_CREATED, made.id, made.name))
            return made
    except UniqueViolation as error:
        raise NameTakenError(f"there is a cluster named {draft.name!r} already; choose another name") from error


def update_cluster(database: Database, context: RequestContext, cluster_id: UUID, patch: ClusterPatch) -> Cluster:
    """Change description, labels or state. Raises ResourceNotFoundError, VersionMismatchError."""
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        present = _lock_or_raise(connection, context, cluster_id)
        changed = rows.update(connection, cluster_id, patch)
        if present.state is ClusterState.DISABLED and changed.state is not ClusterState.DISABLED:
            rows.release(connection, cluster_id)
        detail = given_members(patch)
        audit.write(connection, record(context, AuditAction.CLUSTER_UPDATED, cluster_id, present.name, detail=detail))
        return changed


def delete_cluster(database: Database, context: RequestContext, cluster_id: UUID) -> None:
    """Delete an empty cluster; its agents lose their access with it.

    Raises:
        InUseError: resources are on it. ResourceNotFoundError, VersionMismatchError.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        present = _lock_or_raise(connection, context, cluster_id)
        if left := rows.resources_left(connection, cluster_id):
            raise InUseError(f"cluster {present.name} holds {', '.join(left)}; delete those first", used_by=left)
        rows.delete(connection, cluster_id)
        audit.write(connection, record(context, AuditAction.CLUSTER_DELETED, cluster_id, present.name))


def create_join_token(
    database: Database,
    context: RequestContext,
    cluster_id: UUID,
    lifetime: timedelta = JOIN_TOKEN_LIFETIME,
    *,
    replaces: bool = False,
    certificate_pin: str = "",
) -> IssuedJoinToken:
    """Return a new one-use join token for an agent of the cluster, shown this once.

    Args:
        database: keeps its digest.
        context: who asks.
        cluster_id: the one cluster that it opens.
        lifetime: how long it can be used.
        replaces: whether the agent that joins takes the place of the cluster's agent, which is revoked then; without
            it a cluster that has an agent takes no other.
        certificate_pin: fingerprint of the certificate that agents see; empty when none was configured.

    Raises:
        ResourceNotFoundError: there is no such cluster.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        cluster = _found_or_raise(cluster_id, rows.get(connection, cluster_id))
        made = _insert_join_token(connection, cluster_id, lifetime, certificate_pin, replaces=replaces)
        detail = {"replaces": replaces}
        event = record(context, AuditAction.JOIN_TOKEN_CREATED, cluster_id, cluster.name, detail=detail)
        audit.write(connection, event)
        return made


def _insert_join_token(
    connection: Connection, cluster_id: UUID, lifetime: timedelta, certificate_pin: str = "", *, replaces: bool
) -> IssuedJoinToken:
    secret, token_id = credentials.new_token(TokenPrefix.JOIN), new_id()
    expires_at = rows.insert_join_token(
        connection,
        token_id=token_id,
        cluster_id=cluster_id,
        secret_hash=credentials.token_hash(secret),
        lifetime=lifetime,
        replaces=replaces,
    )
    token = join_token_text(connection, secret, certificate_pin)
    return IssuedJoinToken(id=token_id, cluster_id=cluster_id, expires_at=expires_at, token=token)


def ensure_local_cluster(database: Database, name: str) -> IssuedJoinToken:
    """Return a join token for an agent of the cluster ``name``, which is made if there is none.

    For the operator's own command on the control plane's machine, which needs no permission beyond the database. The
    token replaces an agent that the cluster has and that is silent: its state folder was removed. It does not replace
    one that is running, which may be that of another host.
    """
    with database.system() as connection:
        cluster = rows.by_name(connection, name) or _insert_local_cluster(connection, name)
        made = _insert_join_token(connection, cluster.id, JOIN_TOKEN_LIFETIME, replaces=not cluster.online)
        audit.write(connection, operator_record(AuditAction.JOIN_TOKEN_CREATED, cluster.id, name))
        return made


def _insert_local_cluster(connection: Connection, name: str) -> Cluster:
    draft = ClusterDraft(name=name, description="served by the agent beside the control plane")
    made = rows.insert(connection, new_id(), draft)
    audit.write(connection, operator_record(AuditAction.CLUSTER_CREATED, made.id, name))
    return made


def list_providers(database: Database, context: RequestContext, page: Page) -> Listing[Provider]:
    """Return a page of every cluster's drivers as their agents reported them. Raises PermissionDeniedError."""
    require(context, Permission.PLATFORM_READ)
    cluster, _, interface = (_BY_PROVIDER.begin(page) or "").partition("/")
    with database.system_reads() as connection:
        found = rows.providers(connection, cluster=cluster, interface=interface, limit=page.limit + 1)
    return _BY_PROVIDER.listing(found, page)
