# SPDX-License-Identifier: Apache-2.0
"""What a tenant can make beside resources has a limit, also for requests side by side."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.tests.conftest import COMMON, OPS, TENANT, Caller, ConformingClient
from stratoplane_api.app import create_app
from stratoplane_api.settings import ApiSettings
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services.identity import MOST_SESSIONS

PASSWORD = "a long pass phrase"


@pytest.fixture(scope="module")
def narrow(database):
    """An application with low limits."""
    settings = ApiSettings(
        database_url=database.url,
        password_passes=1,
        password_memory_kib=8,
        most_tokens=3,
        most_projects=3,
        most_users=3,
        most_role_bindings=3,
    )
    app = create_app(database, Plugins.load(()), settings)
    app.test_client_class = ConformingClient
    return app


@pytest.fixture
def admin(narrow, tenant):
    return Caller(client=narrow.test_client(), token=tenant.admin.token)


def name():
    return f"it-{uuid.uuid4().hex[:12]}"


def make(admin, what, client=None):
    caller = admin if client is None else Caller(client=client, token=admin.token)
    if what == "tokens":
        return caller("POST", f"{COMMON}/tokens", {"name": name()})
    if what == "projects":
        return caller("POST", f"{TENANT}/projects", {"name": name()})
    return caller("POST", f"{TENANT}/users", {"username": name(), "password": PASSWORD})


@pytest.mark.parametrize(
    ("what", "scope", "path"),
    [
        ("tokens", "user", f"{COMMON}/tokens"),
        ("projects", "organization", f"{TENANT}/projects"),
        ("users", "organization", f"{TENANT}/users"),
    ],
)
def test_one_more_than_the_limit_is_refused_until_one_is_deleted(admin, what, scope, path):
    made = []
    while (answer := make(admin, what)).status_code == 201:
        made.append(answer.json["id"])
        assert len(made) <= 3

    assert (answer.status_code, answer.json["code"]) == (409, "quota_exceeded")
    told = {key: answer.json[key] for key in ("key", "scope", "limit", "used", "wanted")}
    assert told == {"key": what, "scope": scope, "limit": 3, "used": 3, "wanted": 1}
    assert "ask an operator" in answer.json["detail"]
    assert len(admin("GET", path).json["items"]) == 3
    assert admin("DELETE", f"{path}/{made[0]}").status_code == 204
    assert make(admin, what).status_code == 201


def test_role_bindings_have_a_limit_for_the_organization_and_for_operators(admin, narrow, operator, tenant):
    roles = [role for role in admin("GET", f"{TENANT}/roles").json["items"] if role["scope"] == "PROJECT"]
    user = make(admin, "users").json["id"]
    asked = [{"user_id": user, "role": role["name"], "project_id": tenant.project_id} for role in roles]
    asked = [*asked[:2], {"user_id": user, "role": "organization-reader"}]
    by_operator = Caller(client=narrow.test_client(), token=operator.token)

    # The administrator's own role is the first of three.
    assert [admin("POST", f"{TENANT}/role-bindings", body).status_code for body in asked[:2]] == [201, 201]
    for caller, path in ((admin, f"{TENANT}/role-bindings"), (by_operator, f"{OPS}/role-bindings")):
        answer = caller("POST", path, asked[2])
        assert (answer.json["code"], answer.json["key"]) == ("quota_exceeded", "role_bindings")


@pytest.mark.parametrize("what", ["tokens", "projects", "users"])
def test_requests_side_by_side_make_no_more_than_the_limit(admin, narrow, what):
    with ThreadPoolExecutor(8) as pool:
        clients = [narrow.test_client() for _ in range(8)]
        statuses = list(pool.map(lambda client: make(admin, what, client).status_code, clients))

    assert make(admin, what).status_code == 409
    before = {"tokens": 0, "projects": 1, "users": 1}[what]
    assert statuses.count(201) == 3 - before
    assert set(statuses) == {201, 409}


def test_tokens_of_one_user_take_nothing_from_another(admin, narrow, tenant, make_tenant):
    for _ in range(3):
        make(admin, "tokens")
    other = Caller(client=narrow.test_client(), token=make_tenant().admin.token)

    assert make(admin, "tokens").status_code == 409
    assert make(other, "tokens").status_code == 201


def test_the_next_login_ends_the_oldest_session_and_is_not_refused(app, tenant, ask):
    ask(
        """INSERT INTO api_token (id, organization_id, user_id, kind, name, secret_hash, expires_at, created_at)
        SELECT gen_random_uuid(), u.organization_id, u.id, 'session', '', gen_random_uuid()::text,
            now() + interval '1 h',
            now() + n * interval '1 s' FROM user_account u, generate_series(1, :n) AS n WHERE u.username = :name
        RETURNING 1""",
        n=MOST_SESSIONS - 1,
        name=tenant.username,
    )
    assert tenant.admin("GET", f"{COMMON}/me").status_code == 200
    answer = app.test_client().post(f"{COMMON}/login", json={"username": tenant.username, "password": PASSWORD})

    assert answer.status_code == 200
    live = "SELECT count(*) FROM api_token t JOIN user_account u ON u.id = t.user_id"
    live += " WHERE u.username = :name AND t.revoked_at IS NULL"
    assert ask(live, name=tenant.username) == [(MOST_SESSIONS,)]
