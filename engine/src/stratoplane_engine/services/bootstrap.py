# SPDX-License-Identifier: Apache-2.0
"""What every installation starts with. Doing it again changes nothing."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from psycopg.errors import IntegrityError

from stratoplane.audit import AuditAction
from stratoplane.errors import InvalidSpecError, NameTakenError, StateConflictError, Violation
from stratoplane.ids import new_id
from stratoplane_engine.access.permissions import BUILTIN_ROLES
from stratoplane_engine.db import audit, catalogue, identity, installation
from stratoplane_engine.db.catalogue import Offer
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.identity import Scope
from stratoplane_engine.services import credentials
from stratoplane_engine.services.audit_records import operator_record
from stratoplane_engine.services.organizations import insert_organization
from stratoplane_engine.services.users import insert_user

PROVIDER_ORGANIZATION: Final = "provider"
FLAVORS: Final = (
    {"name": "tiny", "vcpus": 1, "memory_mib": 256, "disk_gib": 1},
    {"name": "small", "vcpus": 1, "memory_mib": 1024, "disk_gib": 10},
    {"name": "medium", "vcpus": 2, "memory_mib": 4096, "disk_gib": 20},
    {"name": "large", "vcpus": 4, "memory_mib": 8192, "disk_gib": 40},
)
SHORTEST_PASSWORD: Final = 8
_USERNAME: Final = re.compile(r"[a-z0-9]([a-z0-9._@+-]{0,126}[a-z0-9])?")
_CREATED: Final = {Offer.FLAVOR: AuditAction.FLAVOR_CREATED, Offer.IMAGE: AuditAction.IMAGE_CREATED}


def bootstrap(database: Database, images: Sequence[Mapping[str, Any]] = ()) -> UUID:
    """Make the installation's id, the built-in roles, the provider's organization, flavors and ``images``.

    Args:
        images: ``name``, ``source`` and optionally ``description``, ``format``, ``sha256``, ``minimum_disk_gib``;
            an image whose name exists stays as it is, and so does a flavor; one that was withdrawn stays away.

    Returns:
        The installation's id.
    """
    with database.system() as connection:
        installation.lock(connection)
        kept = installation.ensure(connection, new_id())
        identity.sync_roles(connection, _role_rows())
        if installation.organization_by_name(connection, PROVIDER_ORGANIZATION) is None:
            _insert_provider(connection)
        for flavor in FLAVORS:
            _offer(connection, Offer.FLAVOR, flavor)
        defaults = {"description": "", "format": "qcow2", "sha256": "", "minimum_disk_gib": 1}
        for image in images:
            _offer(connection, Offer.IMAGE, {**defaults, **image})
    return kept


def _insert_provider(connection: Connection) -> None:
    home = new_id()
    insert_organization(connection, home, {"name": PROVIDER_ORGANIZATION, "display_name": "The provider"})
    event = operator_record(AuditAction.ORGANIZATION_CREATED, home, PROVIDER_ORGANIZATION, organization_id=home)
    audit.write(connection, event)


def _offer(connection: Connection, offer: Offer, values: Mapping[str, Any]) -> None:
    if catalogue.was_ever_named(connection, offer, values["name"]):
        return
    identifier = new_id()
    catalogue.insert(connection, offer, {**values, "id": identifier})
    audit.write(connection, operator_record(_CREATED[offer], identifier, values["name"], detail=values))


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
        InvalidSpecError: no proper name, or too short a password.
        StateConflictError: the installation was not bootstrapped.
    """
    _check_account(username, password)
    password_hash = credentials.hash_password(password)
    try:
        with database.system() as connection:
            return _insert_administrator(connection, username, password_hash)
    except IntegrityError as error:
        raise NameTakenError(f"the user name {username!r} is taken; choose another") from error


def _check_account(username: str, password: str) -> None:
    """Hold the operator's command, whose input no schema has seen, to the rules of every other user."""
    violations = []
    if _USERNAME.fullmatch(username) is None:
        rule = "must be 1 to 128 of a-z, 0-9 and ._@+- and begin and end with a letter or digit"
        violations.append(Violation(pointer="/username", detail=rule))
    if len(password) < SHORTEST_PASSWORD:
        violations.append(Violation(pointer="/password", detail=f"must have {SHORTEST_PASSWORD} characters or more"))
    if violations:
        words = "; ".join(f"{each.pointer[1:]} {each.detail}" for each in violations)
        raise InvalidSpecError(words, violations)


def _insert_administrator(connection: Connection, username: str, password_hash: str) -> UUID:
    home = installation.organization_by_name(connection, PROVIDER_ORGANIZATION)
    role = identity.role(connection, "platform-admin")
    if home is None or role is None:
        raise StateConflictError("the database was never prepared; start the platform once (stratoplane-server up)")
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
    made: UUID = user["id"]
    detail = {"role": role["name"], "user_id": str(made), "scope": Scope.PLATFORM.value}
    words = f"{role['name']} to {username}"
    audit.write(
        connection,
        operator_record(AuditAction.USER_CREATED, made, username, organization_id=home),
        operator_record(AuditAction.ROLE_BINDING_CREATED, binding["id"], words, organization_id=home, detail=detail),
    )
    return made
