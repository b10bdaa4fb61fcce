# SPDX-License-Identifier: Apache-2.0
"""Logging in, tokens, and who a credential stands for."""

import statistics
import time
import uuid
from datetime import timedelta

import pytest

from stratoplane.errors import AuthenticationFailedError, PermissionDeniedError, ResourceNotFoundError
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import BUILTIN_ROLES, Permission
from stratoplane_engine.db import identity as rows
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.identity import RoleBindingDraft, Scope, TokenKind
from stratoplane_engine.model.listing import Page
from stratoplane_engine.services import identity, role_bindings
from stratoplane_engine.services.authentication import authenticate
from stratoplane_engine.services.credentials import PasswordHasher

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def password_hash(passwords):
    return passwords.hash(PASSWORD)


@pytest.fixture
def add_user(database, password_hash):
    """``add_user(organization_id)``: a user of the organization, without any role."""

    def add(organization_id):
        with database.system() as connection:
            return rows.insert_user(
                connection,
                user_id=uuid.uuid4(),
                organization_id=organization_id,
                username=f"alice-{uuid.uuid4().hex[:8]}@example.org",
                display_name="Alice",
                password_hash=password_hash,
            )

    return add


@pytest.fixture
def user(add_user, tenant):
    """A user of ``tenant`` without any role."""
    return add_user(tenant.organization_id)


@pytest.fixture
def log_in(database, passwords):
    """``log_in(user)``: the secret of a new session."""
    return lambda user: identity.log_in(database, passwords, user.username, PASSWORD).issued.secret


@pytest.fixture
def enter(database, log_in):
    """``enter(user)``: the secret of a new session, and the context of a request that shows it."""

    def enter(user) -> tuple[str, RequestContext]:
        secret = log_in(user)
        return secret, context_with(database, secret)

    return enter


def context_with(database, secret) -> RequestContext:
    actor = authenticate(database, secret)
    return RequestContext(actor=actor, organization_id=actor.organization_id)


def execute(database, statement, **parameters):
    with database.system() as connection:
        connection.run(Statement(statement), parameters)


def select(database, statement, **parameters):
    with database.system() as connection:
        return connection.documents(Statement(statement), parameters)


def test_a_token_stands_for_its_user(database, passwords, user):
    session = identity.log_in(database, passwords, user.username, PASSWORD)
    actor = authenticate(database, session.issued.secret)

    assert (actor.id, actor.name) == (user.id, f"user:{user.username}")
    assert actor.organization_id == user.organization_id
    assert actor.credential_id == session.issued.token.id
    assert session.issued.token.kind is TokenKind.SESSION
    assert session.user.username == user.username
    assert session.issued.secret.startswith("spt_ses_")


def test_the_database_keeps_no_secret(database, user, enter):
    token, context = enter(user)
    made = identity.create_token(database, context, "ci")
    kept = select(database, "SELECT t.* FROM api_token t WHERE t.user_id = :id", id=user.id)
    events = select(database, "SELECT e.* FROM audit_event e")

    assert len(kept) == 2
    for secret in (token, made.secret, PASSWORD):
        assert secret not in repr(kept)
        assert secret not in repr(events)


def test_no_secret_is_printed(database, passwords, user, enter):
    session = identity.log_in(database, passwords, user.username, PASSWORD)
    _, context = enter(user)
    made = identity.create_token(database, context, "ci")

    assert session.issued.secret not in repr(session)
    assert made.secret not in repr(made)
    assert "argon2" not in repr(session)


def test_every_role_of_the_user_becomes_a_grant(database, tenant, user, enter):
    for role, project in (("organization-reader", None), ("project-member", tenant.project_id)):
        draft = RoleBindingDraft(user_id=user.id, role=role, project_id=project)
        role_bindings.create_role_binding(database, tenant.context, draft)
    _, context = enter(user)
    found = {(grant.scope, grant.project_id): grant.permissions for grant in context.actor.grants}

    assert found[Scope.ORGANIZATION, None] == BUILTIN_ROLES["organization-reader"].permissions
    assert found[Scope.PROJECT, tenant.project_id] == BUILTIN_ROLES["project-member"].permissions
    home = tenant.organization_id
    assert context.actor.may(Permission.RESOURCE_WRITE, organization_id=home, project_id=tenant.project_id)
    assert not context.actor.may(Permission.RESOURCE_WRITE, organization_id=home)


@pytest.mark.parametrize(
    ("username", "password"),
    [("user", "wrong"), ("user", ""), ("nobody", PASSWORD), ("", ""), ("user' OR 1=1 --", PASSWORD)],
)
def test_every_refused_login_reads_the_same(database, passwords, user, username, password):
    name = user.username if username == "user" else username
    with pytest.raises(AuthenticationFailedError) as refused:
        identity.log_in(database, passwords, name, password)

    assert refused.value.detail == "the user name or the password is wrong"


def test_an_unknown_name_takes_as_long_as_a_wrong_password(database, make_expensive, user):
    passwords = make_expensive(user)

    def work_of(name):
        begin = time.thread_time()  # work of the processor, which other processes' load does not change
        with pytest.raises(AuthenticationFailedError):
            identity.log_in(database, passwords, name, "wrong password")
        return time.thread_time() - begin

    known = statistics.median(work_of(user.username) for _ in range(5))
    unknown = statistics.median(work_of("nobody@example.org") for _ in range(5))

    assert 0.5 < unknown / known < 2  # without a hash to compare it would be a tenth


@pytest.fixture
def make_expensive(database):
    """``make_expensive(user)``: give the user a password at the cost of production, and return its hasher."""

    def make(user):
        passwords = PasswordHasher()
        statement = "UPDATE user_account SET password_hash = :hash WHERE id = :id"
        execute(database, statement, hash=passwords.hash(PASSWORD), id=user.id)
        return passwords

    return make


def test_logins_are_on_record(database, passwords, user):
    identity.log_in(database, passwords, user.username, PASSWORD, request_id="r-1", remote="192.0.2.7")
    with pytest.raises(AuthenticationFailedError):
        identity.log_in(database, passwords, user.username, "wrong", request_id="r-2", remote="192.0.2.8")
    statement = """
        SELECT e.action, e.outcome, e.actor, e.organization_id, e.request_id, e.detail FROM audit_event e
        WHERE e.subject_id = :id ORDER BY e.id
    """

    assert [tuple(each.values()) for each in select(database, statement, id=user.id)] == [
        (
            "identity:user:logged-in",
            "succeeded",
            f"user:{user.username}",
            user.organization_id,
            "r-1",
            {"remote": "192.0.2.7"},
        ),
        (
            "identity:user:login-refused",
            "refused",
            "anonymous",
            user.organization_id,
            "r-2",
            {"remote": "192.0.2.8"},
        ),
    ]


def test_a_refused_login_of_a_stranger_is_on_record_without_what_was_typed(database, passwords):
    typed = f"my-password-by-mistake-{uuid.uuid4().hex}"
    with pytest.raises(AuthenticationFailedError):
        identity.log_in(database, passwords, typed, "x", request_id=typed[-12:])
    found = select(database, "SELECT e.* FROM audit_event e WHERE e.request_id = :id", id=typed[-12:])

    assert len(found) == 1
    assert typed not in repr(found)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE user_account SET enabled = false WHERE id = :id",
        "UPDATE user_account SET deleted_at = now() WHERE id = :id",
        "UPDATE api_token SET revoked_at = now() WHERE user_id = :id",
        "UPDATE api_token SET expires_at = now() - interval '1 second' WHERE user_id = :id",
        "UPDATE organization o SET deleted_at = now() FROM user_account u WHERE u.id = :id AND o.id = organization_id",
    ],
)
def test_what_ends_a_credential_ends_it_at_once(database, user, log_in, statement):
    token = log_in(user)
    execute(database, statement, id=user.id)

    with pytest.raises(AuthenticationFailedError, match="unknown, expired or revoked"):
        authenticate(database, token)


def test_a_disabled_user_cannot_log_in(database, passwords, user):
    execute(database, "UPDATE user_account SET enabled = false WHERE id = :id", id=user.id)

    with pytest.raises(AuthenticationFailedError):
        identity.log_in(database, passwords, user.username, PASSWORD)


def test_logging_out_ends_this_token_only(database, user, enter, log_in):
    token, context = enter(user)
    other = log_in(user)
    identity.log_out(database, context)

    with pytest.raises(AuthenticationFailedError):
        authenticate(database, token)
    assert authenticate(database, other).id == user.id


def test_a_mistyped_token_costs_no_query(database, user, log_in, statements):
    token = log_in(user)
    statements.clear()
    for wrong in (token[:-1] + ("0" if token[-1] != "0" else "1"), token[:-1], "", "spt_ses_", "x" * 500):
        with pytest.raises(AuthenticationFailedError):
            authenticate(database, wrong)

    assert statements == []


def test_authenticating_is_one_statement(database, user, log_in, statements):
    token = log_in(user)
    statements.clear()
    authenticate(database, token)

    assert len(statements) == 1


def test_api_tokens_are_made_listed_and_deleted_by_their_owner(database, user, enter):
    _, context = enter(user)
    made = identity.create_token(database, context, "ci", timedelta(hours=1))

    assert authenticate(database, made.secret).id == user.id
    assert identity.list_tokens(database, context, Page()).items == (made.token,)

    identity.delete_token(database, context, made.token.id)

    assert identity.list_tokens(database, context, Page()).items == ()
    with pytest.raises(AuthenticationFailedError):
        authenticate(database, made.secret)


def test_nobody_sees_or_deletes_the_token_of_another(database, make_tenant, user, add_user, enter):
    _, context = enter(user)
    made = identity.create_token(database, context, "ci")
    colleague, stranger = add_user(user.organization_id), add_user(make_tenant().organization_id)
    for other in (colleague, stranger):
        _, others = enter(other)
        assert identity.list_tokens(database, others, Page()).items == ()
        with pytest.raises(ResourceNotFoundError):
            identity.delete_token(database, others, made.token.id)

    assert authenticate(database, made.secret).id == user.id


def test_me_tells_user_home_and_grants(database, tenant, user, enter):
    draft = RoleBindingDraft(user_id=user.id, role="project-reader", project_id=tenant.project_id)
    role_bindings.create_role_binding(database, tenant.context, draft)
    _, context = enter(user)
    me = identity.get_me(database, context)

    assert me.user.id == user.id
    assert me.organization.id == tenant.organization_id
    assert [(each.scope, each.project_id) for each in me.grants] == [(Scope.PROJECT, tenant.project_id)]


def test_who_has_no_role_may_still_see_itself_and_leave(database, user, enter):
    token, context = enter(user)

    assert identity.get_me(database, context).user.id == user.id
    identity.log_out(database, context)
    with pytest.raises(AuthenticationFailedError):
        authenticate(database, token)


def test_an_api_token_makes_none_that_outlives_it(database, user, enter):
    _, session = enter(user)
    short = identity.create_token(database, session, "short", timedelta(hours=1))
    context = context_with(database, short.secret)
    for lifetime in (None, timedelta(hours=2)):
        with pytest.raises(PermissionDeniedError, match=r"expires at 20\S+Z and makes none that live longer"):
            identity.create_token(database, context, "longer", lifetime)

    shorter = identity.create_token(database, context, "shorter", timedelta(minutes=1))
    assert shorter.token.expires_at is not None
    assert short.token.expires_at is not None
    assert shorter.token.expires_at < short.token.expires_at
    assert identity.create_token(database, session, "endless").token.expires_at is None
    assert {each.name for each in identity.list_tokens(database, session, Page()).items} == {
        "short",
        "shorter",
        "endless",
    }
