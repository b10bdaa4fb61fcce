# SPDX-License-Identifier: Apache-2.0
"""What every installation starts with. Doing it again changes nothing."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane.errors import NameTakenError
from stratoplane.ids import new_id
from stratoplane_engine.db import audit, catalogue, identity, installation
from stratoplane_engine.db.catalogue import Offer
from stratoplane_engine.db.connection import Database
from stratoplane_engine.permissions import BUILTIN_ROLES, Scope
from stratoplane_engine.services import credentials
from stratoplane_engine.services.organizations import insert_organization
from stratoplane_engine.services.users import insert_user

PROVIDER_ORGANIZATION: Final = "provider"
FLAVORS: Final = (
    {"name": "tiny", "vcpus": 1, "memory_mib": 256, "disk_gib": 1},
    {"name": "small", "vcpus": 1, "memory_mib": 1024, "disk_gib": 10},
    {"name": "medium", "vcpus": 2, "memory_mib": 4096, "disk_gib": 20},
    {"name": "large", "vcpus": 4, "memory_mib": 8192, "disk_gib": 40},
)


def bootstrap(database: Database, images: Sequence[Mapping[str, Any]] = ()) -> UUID:
    """Make the installation's id, the built-in roles, the provider's organization, flavors and ``images``.

    Args:
        images: ``name``, ``source`` and optionally ``description``, ``format``, ``sha256``, ``minimum_disk_gib``;
            an image whose name exists stays as it is, and so does a flavor.

    Returns:
        The installation's id.
    """
    with database.system() as connection:
        installation.lock(connection)
        kept = installation.ensure(connection, new_id())
        identity.sync_roles(connection, _role_rows())
        if installation.organization_by_name(connection, PROVIDER_ORGANIZATION) is None:
            insert_organization(connection, new_id(), {"name": PROVIDER_ORGANIZATION, "display_name": "The provider"})
        for flavor in FLAVORS:
            catalogue.insert(connection, Offer.FLAVOR, {**flavor, "id": new_id()}, unless_named=True)
        defaults = {"description": "", "format": "qcow2", "sha256": "", "minimum_disk_gib": 1}
        for image in images:
            values = {**defaults, **image, "id": new_id()}
            catalogue.insert(connection, Offer.IMAGE, values, unless_named=True)
    return kept


def _role_rows() -> list[dict[str, Any]]:
    return [
        {
            "id": new_id(),
            "name": role.name,
            "description": role.description,
            "permissions": sorted(each.value for each in role.permissions),
            "scope": role.scope.value,
        }
        for role in BUILTIN_ROLES.values()
    ]


def create_administrator(database: Database, username: str, password: str) -> UUID:
    """Make a user who may do everything, in the provider's organization.

    For the operator's own command, whose right to do so is its access to the database.

    Raises:
        NameTakenError: there is a user of that name.
    """
    password_hash = credentials.hash_password(password)
    with database.system() as connection:
        installation.lock(connection)
        if identity.find_login(connection, username) is not None:
            raise NameTakenError(f"the user name {username!r} is taken; choose another")
        return _insert_administrator(connection, username, password_hash)


def _insert_administrator(connection: Connection, username: str, password_hash: str) -> UUID:
    home = installation.organization_by_name(connection, PROVIDER_ORGANIZATION)
    role = identity.role(connection, "platform-admin")
    if home is None or role is None:
        raise RuntimeError("the installation was not bootstrapped")
    user = insert_user(connection, home, username, "", password_hash)
    binding = {
        "id": new_id(),
        "organization_id": home,
        "user_id": user["id"],
        "role_id": role["id"],
        "scope": Scope.PLATFORM.value,
        "project_id": None,
    }
    identity.insert_binding(connection, binding)
    event = AuditRecord(
        action=AuditAction.USER_CREATED,
        actor="operator",
        occurred_at=datetime.now(UTC),
        organization_id=home,
        subject_id=user["id"],
        subject_name=username,
        detail={"role": "platform-admin"},
    )
    audit.write(connection, event)
    made: UUID = user["id"]
    return made
