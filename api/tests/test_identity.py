# SPDX-License-Identifier: Apache-2.0
"""Logging in, tokens, organization, projects, users, roles, audit trail: what a tenant's administrator does."""

import uuid
from dataclasses import replace

import pytest

from stratoplane_api.app import create_app
from stratoplane_api.gateway import gateway, install
from stratoplane_api.settings import ApiSettings
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services.credentials import PasswordHasher

COMMON, TENANT = "/api/common/v1", "/api/tenant/v1"
PASSWORD = "a long pass phrase"
NOBODY = "0199d2a5-0c28-7a00-8000-000000000000"


def refused(answer, status, code):
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.data
    return answer.json


def test_a_login_gives_a_token_that_a_logout_ends(app, tenant):
    client = app.test_client()
    session = client.post(f"{COMMON}/login", json={"username": tenant.username, "password": PASSWORD}).json
    headers = {"Authorization": f"Bearer {session['token']}"}

    assert client.get(f"{COMMON}/me", headers=headers).json["user"]["username"] == tenant.username
    assert client.post(f"{COMMON}/logout", headers=headers).status_code == 204
    refused(client.get(f"{COMMON}/me", headers=headers), 401, "authentication_failed")


@pytest.mark.parametrize(("username", "password"), [("", "x"), ("nobody", "wrong"), ("root", "wrong"), ("root", "")])
def test_a_wrong_login_is_refused_without_saying_what_was_wrong(app, operator, username, password):
    answer = app.test_client().post(f"{COMMON}/login", json={"username": username, "password": password})

    problem = refused(answer, 401, "authentication_failed")
    assert problem["detail"] == "the user name or the password is wrong"
    assert answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(("proxies", "seen"), [(0, "127.0.0.1"), (1, "198.51.100.7")])
def test_the_callers_address_is_what_trusted_proxies_say(database, tenant, operator, proxies, seen):
    settings = ApiSettings(database_url=database.url, trusted_proxies=proxies)
    client = create_app(database, Plugins.load(()), settings).test_client()
    body = {"username": tenant.username, "password": PASSWORD}
    assert client.post(f"{COMMON}/login", json=body, headers={"X-Forwarded-For": "198.51.100.7"}).status_code == 200

    event = tenant.admin("GET", f"{TENANT}/audit-events?limit=1").json["items"][0]
    assert (event["action"], event["detail"]["remote"]) == ("identity:user:logged-in", seen)


def test_an_api_token_opens_until_it_is_deleted(tenant, app):
    made = tenant.admin("POST", f"{COMMON}/tokens", {"name": "ci", "expires_in": 3600})
    headers = {"Authorization": f"Bearer {made.json['token']}"}
    client = app.test_client()

    assert client.get(f"{COMMON}/me", headers=headers).status_code == 200
    listed = tenant.admin("GET", f"{COMMON}/tokens").json["items"]
    assert [(each["id"], each["name"], "token" in each) for each in listed] == [(made.json["id"], "ci", False)]
    assert tenant.admin("DELETE", f"{COMMON}/tokens/{made.json['id']}").status_code == 204
    refused(client.get(f"{COMMON}/me", headers=headers), 401, "authentication_failed")
    refused(tenant.admin("DELETE", f"{COMMON}/tokens/{made.json['id']}"), 404, "resource_not_found")


@pytest.mark.parametrize(
    "body", [{}, {"name": "ci", "expires_in": 1}, {"name": "ci", "expires_in": "60"}, {"name": "C I"}]
)
def test_a_wrong_token_is_not_made(tenant, body):
    refused(tenant.admin("POST", f"{COMMON}/tokens", body), 422, "invalid_spec")


def test_me_tells_what_the_token_may_do(tenant):
    me = tenant.admin("GET", f"{COMMON}/me").json

    assert me["organization"]["id"] == tenant.organization_id
    assert {"resource:write", "role:grant"} <= {each for grant in me["grants"] for each in grant["permissions"]}
    assert tenant.admin("GET", f"{TENANT}/organization").json["id"] == tenant.organization_id


def test_a_project_lives_from_create_to_delete(tenant):
    made = tenant.admin("POST", f"{TENANT}/projects", {"name": "shop", "labels": {"env": "prod"}})
    path = made.headers["Location"]
    tag = made.headers["ETag"]
    changed = tenant.admin("PATCH", path, {"display_name": "The shop"}, headers={"If-Match": tag})

    assert changed.json["display_name"] == "The shop"
    assert changed.json["labels"] == {"env": "prod"}
    refused(tenant.admin("PATCH", path, {"labels": {}}, headers={"If-Match": tag}), 412, "version_mismatch")
    refused(tenant.admin("POST", f"{TENANT}/projects", {"name": "shop"}), 409, "name_taken")
    refused(tenant.admin("PATCH", path, {"name": "main"}), 409, "name_taken")
    assert {each["name"] for each in tenant.admin("GET", f"{TENANT}/projects").json["items"]} == {"main", "shop"}
    assert tenant.admin("DELETE", path).status_code == 204
    refused(tenant.admin("GET", path), 404, "resource_not_found")


def test_a_project_with_resources_is_in_use(tenant, cluster):
    tenant.make("buckets", name="one")
    cluster.work()

    problem = refused(tenant.admin("DELETE", f"{TENANT}/projects/{tenant.project_id}"), 409, "resource_in_use")
    assert problem["used_by"] == ["bucket one"]


def test_a_user_comes_and_goes(tenant, app):
    username = f"user-{uuid.uuid4().hex[:8]}"
    body = {"username": username, "password": PASSWORD, "display_name": "Bob"}
    made = tenant.admin("POST", f"{TENANT}/users", body)

    assert "password" not in made.json
    refused(tenant.admin("POST", f"{TENANT}/users", body), 409, "name_taken")
    assert tenant.admin("GET", f"{TENANT}/users/{made.json['id']}").json["display_name"] == "Bob"
    assert len(tenant.admin("GET", f"{TENANT}/users").json["items"]) == 2
    assert tenant.admin("DELETE", f"{TENANT}/users/{made.json['id']}").status_code == 204
    login = app.test_client().post(f"{COMMON}/login", json={"username": username, "password": PASSWORD})
    refused(login, 401, "authentication_failed")
    me = tenant.admin("GET", f"{COMMON}/me").json["user"]["id"]
    refused(tenant.admin("DELETE", f"{TENANT}/users/{me}"), 409, "state_conflict")


@pytest.mark.parametrize(
    "change",
    [{"username": "Bob"}, {"username": "a b"}, {"username": ""}, {"password": "short"}, {"password": "x" * 257},
     {"enabled": True}, {"organization_id": NOBODY}, {"display_name": "a\nb"}],
)  # fmt: skip
def test_a_wrong_user_is_not_made(tenant, change):
    body = {"username": f"user-{uuid.uuid4().hex[:8]}", "password": PASSWORD}

    refused(tenant.admin("POST", f"{TENANT}/users", {**body, **change}), 422, "invalid_spec")


def test_roles_count_where_they_were_given(tenant):
    other = tenant.admin("POST", f"{TENANT}/projects", {"name": "other"}).json["id"]
    member = tenant.user("project-member", tenant.project_id)

    assert member("GET", f"{TENANT}/projects/{tenant.project_id}/buckets").status_code == 200
    refused(member("GET", f"{TENANT}/projects/{other}/buckets"), 403, "permission_denied")
    refused(member("POST", f"{TENANT}/projects", {"name": "mine"}), 403, "permission_denied")
    refused(member("GET", f"{TENANT}/audit-events"), 403, "permission_denied")
    assert [each["id"] for each in member("GET", f"{TENANT}/projects").json["items"]] == [tenant.project_id]


def test_nobody_gives_more_than_they_hold(tenant):
    me = tenant.admin("GET", f"{COMMON}/me").json["user"]["id"]
    binding = {"user_id": me, "role": "platform-admin"}

    refused(tenant.admin("POST", f"{TENANT}/role-bindings", binding), 403, "permission_denied")


def test_wrong_role_bindings_are_refused(tenant):
    me = tenant.admin("GET", f"{COMMON}/me").json["user"]["id"]

    def bind(**body):
        return tenant.admin("POST", f"{TENANT}/role-bindings", body)

    refused(bind(user_id=me, role="emperor"), 404, "resource_not_found")
    refused(bind(user_id=NOBODY, role="organization-reader"), 404, "resource_not_found")
    refused(bind(user_id=me, role="project-reader"), 422, "invalid_spec")
    refused(bind(user_id=me, role="project-reader", project_id=NOBODY), 404, "resource_not_found")
    assert bind(user_id=me, role="organization-reader").status_code == 201
    refused(bind(user_id=me, role="organization-reader"), 409, "name_taken")
    refused(tenant.admin("DELETE", f"{TENANT}/role-bindings/{NOBODY}"), 404, "resource_not_found")


def test_roles_are_listed_for_everybody(tenant):
    names = {each["name"] for each in tenant.admin("GET", f"{TENANT}/roles").json["items"]}

    assert {"project-member", "organization-admin", "platform-admin"} <= names


def test_the_audit_trail_tells_who_did_what_newest_first(tenant):
    tenant.admin("POST", f"{TENANT}/projects", {"name": "shop"})
    events = tenant.admin("GET", f"{TENANT}/audit-events?limit=2")

    assert events.json["items"][0]["action"] == "identity:project:created"
    assert events.json["items"][0]["actor"] == f"user:{tenant.username}"
    assert 'rel="next"' in events.headers["Link"]
    following = tenant.admin("GET", f"{TENANT}/audit-events?limit=2&cursor={events.json['next']}")
    assert {each["id"] for each in following.json["items"]}.isdisjoint(each["id"] for each in events.json["items"])


class CountingHasher(PasswordHasher):
    """Counts how often a password was compared, which is what takes the time of a login."""

    compared = 0

    def matches(self, password_hash, password):
        self.compared += 1
        return super().matches(password_hash, password)


@pytest.mark.parametrize("username", ["root", "nobody-of-that-name"])
def test_an_unknown_user_takes_as_long_as_a_wrong_password(database, settings, operator, username):
    app, passwords = create_app(database, Plugins.load(()), settings), CountingHasher(settings.password_cost)
    with app.app_context():
        install(app, replace(gateway(), passwords=passwords))
    answer = app.test_client().post(f"{COMMON}/login", json={"username": username, "password": "wrong"})

    refused(answer, 401, "authentication_failed")
    assert passwords.compared == 1
