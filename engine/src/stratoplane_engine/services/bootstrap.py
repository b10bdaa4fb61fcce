# SPDX-License-Identifier: Apache-2.0
"""What every installation starts with. Doing it again changes nothing."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final
from uuid import UUID

from psycopg.errors import UniqueViolation

from stratoplane.audit import AuditAction
from stratoplane.errors import InvalidSpecError, NameTakenError, StateConflictError, Violation
from stratoplane.ids import new_id
from stratoplane_engine.access.permissions import BUILTIN_ROLES
from stratoplane_engine.db import audit, catalogue, identity, installation, quota
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.catalogue import FlavorDraft, ImageDraft
from stratoplane_engine.model.identity import OwnerDraft, Role, Scope
from stratoplane_engine.services.audit_records import operator_record
from stratoplane_engine.services.credentials import PasswordHasher
from stratoplane_engine.services.organizations import insert_organization

PROVIDER_ORGANIZATION: Final = "provider"
FLAVORS: Final = (
    FlavorDraft(name="tiny", vcpus=1, memory_mib=256, disk_gib=1),
    FlavorDraft(name="small", vcpus=1, memory_mib=1024, disk_gib=10),
    FlavorDraft(name="medium", vcpus=2, memory_mib=4096, disk_gib=20),
    FlavorDraft(name="large", vcpus=4, memory_mib=8192, disk_gib=40),
)
SHORTEST_PASSWORD: Final = 8
_USERNAME: Final = re.compile(r"[a-z0-9]([a-z0-9._@+-]{0,126}[a-z0-9])?")


def bootstrap(database: Database, images: Sequence[ImageDraft] = ()) -> UUID:
    """Make the installation's id, the built-in roles, the provider's organization, flavors, ``images`` and limits.

    An image whose name exists stays as it is, and so does a flavor; one that was withdrawn stays away.

    Returns:
        The installation's id.
    """
    with database.system() as connection:
        installation.lock(connection)
        kept = installation.ensure(connection, new_id())
        identity.sync_roles(connection, _builtin_roles())
        if installation.organization_by_name(connection, PROVIDER_ORGANIZATION) is None:
            _insert_provider(connection)
        for flavor in FLAVORS:
            _offer_flavor(connection, flavor)
        for image in images:
            _offer_image(connection, image)
        quota.seed_quota_lines(connection)
    return kept


def _insert_provider(connection: Connection) -> None:
    home = insert_organization(connection, OwnerDraft(name=PROVIDER_ORGANIZATION, display_name="The provider"))
    event = operator_record(AuditAction.ORGANIZATION_CREATED, home.id, home.name, organization_id=home.id)
    audit.write(connection, event)


def _offer_flavor(connection: Connection, draft: FlavorDraft) -> None:
    if not catalogue.flavor_was_named(connection, draft.name):
        made = catalogue.insert_flavor(connection, new_id(), draft)
        audit.write(connection, operator_record(AuditAction.FLAVOR_CREATED, made.id, made.name, detail=asdict(draft)))


def _offer_image(connection: Connection, draft: ImageDraft) -> None:
    if not catalogue.image_was_named(connection, draft.name):
        made = catalogue.insert_image(connection, new_id(), draft)
        audit.write(connection, operator_record(AuditAction.IMAGE_CREATED, made.id, made.name, detail=asdict(draft)))


def _builtin_roles() -> list[Role]:
    return [
        Role(
            id=new_id(),
            name=role.name,
            description=role.description,
            scope=role.scope,
            permissions=frozenset(each.value for each in role.permissions),
        )
        for role in BUILTIN_ROLES.values()
    ]


def create_administrator(database: Database, passwords: PasswordHasher, username: str, password: str) -> UUID:
    """Make a user who may do everything, in the provider's organization.

    For the operator's own command, whose right to do so is its access to the database.

    Raises:
        NameTakenError: there is a user of that name.
        InvalidSpecError: the name is not valid, or the password is too short.
        StateConflictError: the installation was not bootstrapped.
    """
    _check_account(username, password)
    password_hash = passwords.hash(password)
    try:
        with database.system() as connection:
            return _insert_administrator(connection, username, password_hash)
    except UniqueViolation as error:
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
        detail = "; ".join(f"{each.pointer[1:]} {each.detail}" for each in violations)
        raise InvalidSpecError(detail, violations)


def _insert_administrator(connection: Connection, username: str, password_hash: str) -> UUID:
    home = installation.organization_by_name(connection, PROVIDER_ORGANIZATION)
    role = identity.role(connection, "platform-admin")
    if home is None or role is None:
        raise StateConflictError("the database was never prepared; start the platform once (stratoplane-server up)")
    user = identity.insert_user(
        connection,
        user_id=new_id(),
        organization_id=home,
        username=username,
        display_name="",
        password_hash=password_hash,
    )
    binding = identity.insert_binding(
        connection,
        binding_id=new_id(),
        organization_id=home,
        user_id=user.id,
        role_id=role.id,
        scope=Scope.PLATFORM,
        project_id=None,
    )
    subject, detail = f"{role.name} to {username}", {"role": role.name, "user_id": str(user.id), "scope": "PLATFORM"}
    audit.write(
        connection,
        operator_record(AuditAction.USER_CREATED, user.id, username, organization_id=home),
        operator_record(AuditAction.ROLE_BINDING_CREATED, binding.id, subject, organization_id=home, detail=detail),
    )
    return user.id
