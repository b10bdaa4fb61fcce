# SPDX-License-Identifier: Apache-2.0
"""Logging in, tokens, and who a credential stands for."""

import statistics
import time
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import text

from stratoplane.errors import AuthenticationFailedError, PermissionDeniedError, ResourceNotFoundError
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import BUILTIN_ROLES, Permission
from stratoplane_engine.model.identity import Scope
from stratoplane_engine.model.listing import Page
from stratoplane_engine.services import audit, credentials, identity, role_bindings, users

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def password_hash():
    return credentials.hash_password(PASSWORD)


@pytest.fixture
def user(database, tenant, password_hash):
    """A user of ``tenant`` without any role."""
    name = f"alice-{uuid.uuid4().hex[:8]}@example.org"
    with database.system() as connection:
        return users.insert_user(connection, tenant.organization_id, name, "Alice", password_hash)


def enter(database, user) -> tuple[str, RequestContext]:
    """Log in; return the token and the context of a request that shows it."""
    token = identity.log_in(database, user["username"], PASSWORD)["token"]
    actor = identity.authenticate(database, token)
    return token, RequestContext(actor=actor, organization_id=actor.organization_id)


def execute(database, statement, **parameters):
    with database.system() as connection:
        return connection.execute(text(statement), parameters)


def test_a_token_stands_for_its_user(database, user):
    session = identity.log_in(database, user["username"], PASSWORD)
    actor = identity.authenticate(database, session["token"])

    assert (actor.id, actor.name) == (user["id"], f"user:{user['username']}")
    assert actor.organization_id == user["organization_id"]
    assert str(actor.credential_id) == session["token_id"]
    assert session["user"]["username"] == user["username"]
    assert session["token"].startswith("spt_ses_")


def test_the_database_keeps_no_secret(database, user):
    token, context = enter(database, user)
    made = identity.create_token(database, context, "ci")
    with database.system() as connection:
        kept = connection.execute(text("SELECT t.* FROM api_token t WHERE t.user_id = :id"), {"id": user["id"]}).all()
        events = connection.execute(text("SELECT e.* FROM audit_event e")).all()

    for secret in (token, made["token"], PASSWORD):
        assert secret not in repr(kept)
        assert secret not in repr(events)


def test_every_role_of_the_user_becomes_a_grant(database, tenant, user):
    for role, project in (("organization-reader", None), ("project-member", str(tenant.project_id))):
        body = {"user_id": str(user["id"]), "role": role, "project_id": project}
        role_bindings.create_role_binding(database, tenant.context, body)
    _, context = enter(database, user)
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
def test_every_refused_login_reads_the_same(database, user, username, password):
    name = user["username"] if username == "user" else username
    with pytest.raises(AuthenticationFailedError) as refused:
        identity.log_in(database, name, password)

    assert refused.value.detail == "the user name or the password is wrong"


def test_an_unknown_name_takes_as_long_as_a_wrong_password(database, user):
    def work_of(name):
        begin = time.thread_time()  # work of the processor, which other processes' load does not change
        with pytest.raises(AuthenticationFailedError):
            identity.log_in(database, name, "wrong password")
        return time.thread_time() - begin

    known = statistics.median(work_of(user["username"]) for _ in range(5))
    unknown = statistics.median(work_of("nobody@example.org") for _ in range(5))

    assert 0.5 < unknown / known < 2  # without a hash to compare it would be a tenth


def test_logins_are_on_record(database, tenant, user):
    identity.log_in(database, user["username"], PASSWORD, request_id="r-1", remote="192.0.2.7")
    with pytest.raises(AuthenticationFailedError):
        identity.log_in(database, user["username"], "wrong", request_id="r-2", remote="192.0.2.8")
    events = audit.list_audit_events(database, tenant.context, Page(limit=200), subject_id=user["id"]).items

    assert [(each["action"], each["outcome"], each["request_id"], each["detail"]) for each in events] == [
        ("identity:user:login-refused", "refused", "r-2", {"remote": "192.0.2.8"}),
        ("identity:user:logged-in", "succeeded", "r-1", {"remote": "192.0.2.7"}),
    ]


def test_a_refused_login_of_a_stranger_is_on_record_without_what_was_typed(database):
    typed = f"my-password-by-mistake-{uuid.uuid4().hex}"
    with pytest.raises(AuthenticationFailedError):
        identity.log_in(database, typed, "x", request_id=typed[-12:])
    with database.system() as connection:
        rows = connection.execute(
            text("SELECT e.* FROM audit_event e WHERE e.request_id = :id"), {"id": typed[-12:]}
        ).all()

    assert len(rows) == 1
    assert typed not in repr(rows)


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
def test_what_ends_a_credential_ends_it_at_once(database, user, statement):
    token, _ = enter(database, user)
    execute(database, statement, id=user["id"])

    with pytest.raises(AuthenticationFailedError):
        identity.authenticate(database, token)


def test_a_disabled_user_cannot_log_in(database, user):
    execute(database, "UPDATE user_account SET enabled = false WHERE id = :id", id=user["id"])

    with pytest.raises(AuthenticationFailedError):
        identity.log_in(database, user["username"], PASSWORD)


def test_logging_out_ends_this_token_only(database, user):
    token, context = enter(database, user)
    other, _ = enter(database, user)
    identity.log_out(database, context)

    with pytest.raises(AuthenticationFailedError):
        identity.authenticate(database, token)
    assert identity.authenticate(database, other).id == user["id"]


def test_a_mistyped_token_costs_no_query(database, user, statements):
    token, _ = enter(database, user)
    statements.clear()
    for wrong in (token[:-1] + ("0" if token[-1] != "0" else "1"), token[:-1], "", "spt_ses_", "x" * 500):
        with pytest.raises(AuthenticationFailedError):
            identity.authenticate(database, wrong)

    assert statements == []


def test_authenticating_is_one_query(database, user, statements):
    token, _ = enter(database, user)
    statements.clear()
    identity.authenticate(database, token)

    assert len([each for each in statements if " FROM " in each.replace("\n", " ")]) == 1  # the others open and close


def test_api_tokens_are_made_listed_and_deleted_by_their_owner(database, user):
    _, context = enter(database, user)
    made = identity.create_token(database, context, "ci", timedelta(hours=1))
    listed = identity.list_tokens(database, context, Page()).items

    assert identity.authenticate(database, made["token"]).id == user["id"]
    assert [each["id"] for each in listed] == [made["id"]]
    assert all("token" not in each for each in listed)

    identity.delete_token(database, context, uuid.UUID(made["id"]))

    assert identity.list_tokens(database, context, Page()).items == ()
    with pytest.raises(AuthenticationFailedError):
        identity.authenticate(database, made["token"])


def test_nobody_sees_or_deletes_the_token_of_another(database, make_tenant, user, password_hash):
    _, context = enter(database, user)
    made = identity.create_token(database, context, "ci")
    with database.system() as connection:
        name = f"bob-{uuid.uuid4().hex[:8]}"
        home = make_tenant().organization_id
        colleague = users.insert_user(connection, user["organization_id"], f"c-{name}", "", password_hash)
        stranger = users.insert_user(connection, home, f"s-{name}", "", password_hash)
    for other in (colleague, stranger):
        _, others = enter(database, other)
        assert identity.list_tokens(database, others, Page()).items == ()
        with pytest.raises(ResourceNotFoundError):
            identity.delete_token(database, others, uuid.UUID(made["id"]))

    assert identity.authenticate(database, made["token"]).id == user["id"]


def test_me_tells_user_home_and_grants(database, tenant, user):
    body = {"user_id": str(user["id"]), "role": "project-reader", "project_id": str(tenant.project_id)}
    role_bindings.create_role_binding(database, tenant.context, body)
    _, context = enter(database, user)
    me = identity.get_me(database, context)

    assert me["user"]["id"] == str(user["id"])
    assert me["organization"]["id"] == str(tenant.organization_id)
    assert {(each["scope"], each["project_id"]) for each in me["grants"]} >= {("PROJECT", str(tenant.project_id))}


def test_who_has_no_role_may_still_see_itself_and_leave(database, user):
    _, context = enter(database, user)

    assert identity.get_me(database, context)["user"]["id"] == str(user["id"])
    identity.log_out(database, context)


def test_an_api_token_makes_none_that_outlives_it(database, user):
    _, session = enter(database, user)
    short = identity.create_token(database, session, "short", timedelta(hours=1))
    actor = identity.authenticate(database, short["token"])
    context = RequestContext(actor=actor, organization_id=actor.organization_id)
    for lifetime in (None, timedelta(hours=2)):
        with pytest.raises(PermissionDeniedError, match="log in"):
            identity.create_token(database, context, "longer", lifetime)

    assert identity.create_token(database, context, "shorter", timedelta(minutes=1))["expires_at"] < short["expires_at"]
    assert identity.create_token(database, session, "endless")["expires_at"] is None
    assert {each["name"] for each in identity.list_tokens(database, session, Page()).items} == {
        "short",
        "shorter",
        "endless",
    }
