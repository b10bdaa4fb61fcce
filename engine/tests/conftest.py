# SPDX-License-Identifier: Apache-2.0
"""A migrated PostgreSQL database for each test module, and tenants to act as in it.

Migrations run once in a session, into a template; each module's database is a copy of it. Inside a module every test
takes an organization of its own (fixture ``tenant``), so that tests do not see each other.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from stratoplane.ids import new_id
from stratoplane_engine.access.context import Actor, RequestContext
from stratoplane_engine.access.permissions import BUILTIN_ROLES, Grant, Permission
from stratoplane_engine.db import installation
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.migrate import upgrade
from stratoplane_engine.model.identity import OwnerDraft, Scope
from stratoplane_engine.services import bootstrap, organizations, projects
from stratoplane_engine.services.credentials import PasswordCost, PasswordHasher


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenant:
    """An organization with one project, and the context of its administrator (who is not a user in the database)."""

    organization_id: uuid.UUID
    project_id: uuid.UUID
    context: RequestContext


def _with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _administer(server: str, statement: str, **names: str) -> None:
    identifiers = {key: sql.Identifier(name) for key, name in names.items()}
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(**identifiers))


@pytest.fixture(scope="session")
def database_template(postgresql_server: str) -> Iterator[str]:
    """Name of a database at the newest revision that nobody is connected to."""
    name = f"template_{uuid.uuid4().hex}"
    _administer(postgresql_server, "CREATE DATABASE {name}", name=name)
    upgrade(_with_database(postgresql_server, name))
    yield name
    _administer(postgresql_server, "DROP DATABASE {name} WITH (FORCE)", name=name)


@contextmanager
def copy_of(server: str, template: str) -> Iterator[str]:
    """A database like ``template``; its files are copied, which is half the work of writing them to the log."""
    name = f"engine_{uuid.uuid4().hex}"
    _administer(server, "CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy", name=name, template=template)
    yield _with_database(server, name)
    _administer(server, "DROP DATABASE {name} WITH (FORCE)", name=name)


@pytest.fixture(scope="module")
def database_url(postgresql_server: str, database_template: str) -> Iterator[str]:
    """URL of a migrated database of this module's own; its account is a superuser."""
    with copy_of(postgresql_server, database_template) as url:
        yield url


@pytest.fixture
def bare_database(postgresql_server: str, database_template: str) -> Iterator[Database]:
    """Connections to a migrated database in which there is nothing at all."""
    with copy_of(postgresql_server, database_template) as url:
        opened = Database(url, pool_size=1, application="stratoplane-tests")
        yield opened
        opened.close()


@pytest.fixture
def fresh_database_url(postgresql_server: str, database_template: str) -> Iterator[str]:
    """URL of a migrated database that nobody else touches."""
    with copy_of(postgresql_server, database_template) as url:
        yield url


@pytest.fixture
def fresh_database(fresh_database_url: str) -> Iterator[Database]:
    """A migrated database that nobody else touches."""
    opened = Database(fresh_database_url, application="tests")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def sent_statements() -> list[str]:
    """Texts of every statement that was sent to the module's database."""
    return []


@pytest.fixture(scope="module")
def database(database_url: str, sent_statements: list[str]) -> Iterator[Database]:
    """Connections to the module's database, after the bootstrap of a first start."""
    opened = Database(
        database_url, application="stratoplane-tests", watch=lambda sent: sent_statements.append(sent.decode())
    )
    bootstrap.bootstrap(opened)
    yield opened
    opened.close()


def make_actor(
    organization_id: uuid.UUID, *roles: str, project_id: uuid.UUID | None = None, name: str = "user:test"
) -> Actor:
    """Return an actor who holds built-in roles; those of projects count in ``project_id``."""
    bound = [BUILTIN_ROLES[role] for role in roles]
    grants = tuple(
        Grant(
            scope=role.scope,
            organization_id=organization_id,
            permissions=role.permissions,
            project_id=project_id if role.scope is Scope.PROJECT else None,
        )
        for role in bound
    )
    home = Grant(scope=Scope.ORGANIZATION, organization_id=organization_id, permissions=frozenset({Permission.SELF}))
    return Actor(
        id=new_id(), name=name, organization_id=organization_id, credential_id=new_id(), grants=(home, *grants)
    )


@pytest.fixture(scope="session")
def context_of() -> Callable[..., RequestContext]:
    """``context_of(organization_id, "project-member", project_id=...)``: a request by someone with these roles."""

    def make(organization_id: uuid.UUID, *roles: str, project_id: uuid.UUID | None = None) -> RequestContext:
        actor = make_actor(organization_id, *roles, project_id=project_id)
        return RequestContext(actor=actor, organization_id=organization_id, request_id="request-1")

    return make


@pytest.fixture(scope="session")
def passwords() -> PasswordHasher:
    """Hashes passwords at the least cost that Argon2 has."""
    return PasswordHasher(PasswordCost(passes=1, memory_kib=8))


@pytest.fixture(scope="module")
def operator(database: Database) -> RequestContext:
    """A request by an operator of the provider."""
    with database.system() as connection:
        provider = installation.organization_by_name(connection, bootstrap.PROVIDER_ORGANIZATION)
    assert provider is not None
    actor = make_actor(provider, "platform-admin", name="user:operator")
    return RequestContext(actor=actor, organization_id=provider, request_id="request-0")


@pytest.fixture
def make_tenant(database: Database, operator: RequestContext) -> Callable[[], Tenant]:
    """``make_tenant()``: another organization with a project, default quotas and an administrator's context."""

    def make() -> Tenant:
        draft = OwnerDraft(name=f"tenant-{uuid.uuid4().hex[:12]}")
        organization_id = organizations.create_organization(database, operator, draft).id
        context = RequestContext(
            actor=make_actor(organization_id, "organization-admin"),
            organization_id=organization_id,
            request_id="request-1",
        )
        project = projects.create_project(database, context, OwnerDraft(name="first"))
        return Tenant(organization_id=organization_id, project_id=project.id, context=context)

    return make


@pytest.fixture
def tenant(make_tenant: Callable[[], Tenant]) -> Tenant:
    """An organization of this test's own."""
    return make_tenant()


@pytest.fixture
def statements(sent_statements: list[str]) -> list[str]:
    """Texts of the statements that the test sends."""
    sent_statements.clear()
    return sent_statements
