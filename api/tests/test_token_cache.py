# SPDX-License-Identifier: Apache-2.0
"""A process keeps whom a token stands for, and whatever takes access away counts from the next request on."""

import time
import uuid
from dataclasses import replace

import pytest

from stratoplane_api.app import create_app
from stratoplane_api.routes import endpoints_of
from stratoplane_engine.db.connection import Database
from stratoplane_engine.plugins import Plugins

COMMON, TENANT, OPS = "/api/common/v1", "/api/tenant/v1", "/api/ops/v1"
PASSWORD = "a long pass phrase"
PATIENCE = 20.0


class Process:
    """An application with connections of its own, that counts how often it asks the database about a token."""

    def __init__(self, database_url, settings) -> None:
        self.questions = 0
        self.database = Database(database_url, pool_size=2, watch=self._watch)
        self.app = create_app(self.database, Plugins.load(()), settings)
        self.client = self.app.test_client()

    def _watch(self, statement: bytes) -> None:
        self.questions += b"FROM api_token k" in statement

    def status(self, token: str, path: str = f"{COMMON}/me") -> int:
        return self.client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code

    def keeps(self, token: str) -> bool:
        """Tell whether two requests, one after the other, ask at most once."""
        before = self.questions
        assert (self.status(token), self.status(token)) == (200, 200)
        return self.questions - before < 2

    def warm(self, token: str) -> None:
        """Return when the process listens, and keeps the token."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self.keeps(token):
                return
        pytest.fail("the token is never kept")


@pytest.fixture(scope="module")
def make_process(database_url, settings):
    """``make_process()``: one more process of the gateway."""
    made = []

    def make(**changes):
        made.append(Process(database_url, replace(settings, **changes)))
        return made[-1]

    yield make
    for each in made:
        each.database.close()


@pytest.fixture(scope="module")
def process(make_process):
    return make_process()


@pytest.fixture
def person(tenant, process):
    """A user with a role in the project, and its token, which the process keeps."""
    username = f"user-{uuid.uuid4().hex[:12]}"
    user = tenant.admin("POST", f"{TENANT}/users", {"username": username, "password": PASSWORD}).json["id"]
    body = {"user_id": user, "role": "project-reader", "project_id": tenant.project_id}
    binding = tenant.admin("POST", f"{TENANT}/role-bindings", body).json["id"]
    session = process.client.post(f"{COMMON}/login", json={"username": username, "password": PASSWORD}).json
    process.warm(session["token"])
    return {"user": user, "binding": binding, "token": session["token"], "token_id": session["token_id"]}


def through(process, caller):
    """Return the caller of another process as one of this."""
    return replace(caller, client=process.client)


def log_out(process, person, tenant, operator):
    return process.client.post(f"{COMMON}/logout", headers={"Authorization": f"Bearer {person['token']}"})


def delete_token(process, person, tenant, operator):
    headers = {"Authorization": f"Bearer {person['token']}"}
    return process.client.delete(f"{COMMON}/tokens/{person['token_id']}", headers=headers)


def delete_user(process, person, tenant, operator):
    return through(process, tenant.admin)("DELETE", f"{TENANT}/users/{person['user']}")


def delete_any_user(process, person, tenant, operator):
    return through(process, operator)("DELETE", f"{OPS}/users/{person['user']}")


def delete_organization(process, person, tenant, operator):
    assert through(process, tenant.admin)("DELETE", f"{TENANT}/projects/{tenant.project_id}").status_code == 204
    return through(process, operator)("DELETE", f"{OPS}/organizations/{tenant.organization_id}")


@pytest.mark.parametrize("end", [log_out, delete_token, delete_user, delete_any_user, delete_organization])
def test_a_token_that_is_ended_opens_nothing_at_the_next_request(process, person, tenant, operator, end):
    assert end(process, person, tenant, operator).status_code == 204

    assert process.status(person["token"]) == 401


def delete_role_binding(process, person, tenant, operator):
    return through(process, tenant.admin)("DELETE", f"{TENANT}/role-bindings/{person['binding']}")


def delete_any_role_binding(process, person, tenant, operator):
    return through(process, operator)("DELETE", f"{OPS}/role-bindings/{person['binding']}")


def delete_project(process, person, tenant, operator):
    return through(process, tenant.admin)("DELETE", f"{TENANT}/projects/{tenant.project_id}")


@pytest.mark.parametrize("end", [delete_role_binding, delete_any_role_binding, delete_project])
def test_a_role_that_is_taken_counts_no_more_at_the_next_request(process, person, tenant, operator, end):
    networks = f"{TENANT}/projects/{tenant.project_id}/networks"
    assert process.status(person["token"], networks) == 200
    assert end(process, person, tenant, operator).status_code == 204

    assert process.status(person["token"], networks) == 403
    assert process.status(person["token"]) == 200


@pytest.mark.parametrize("path", [f"{TENANT}/role-bindings", f"{OPS}/role-bindings"])
def test_a_role_that_is_given_counts_at_the_next_request(process, person, tenant, operator, path):
    users = f"{TENANT}/users"
    assert process.status(person["token"], users) == 403
    giver = operator if path.startswith(OPS) else tenant.admin
    body = {"user_id": person["user"], "role": "organization-reader"}
    assert through(process, giver)("POST", path, body).status_code == 201

    assert process.status(person["token"], users) == 200


def test_every_request_that_may_change_what_tokens_stand_for_says_so(app):
    declared = {endpoint.id for endpoint in endpoints_of(app).values() if endpoint.changes_access}

    assert declared == {
        "log_out",
        "delete_token",
        "delete_user",
        "delete_any_user",
        "delete_project",
        "delete_organization",
        "create_role_binding",
        "create_any_role_binding",
        "delete_role_binding",
        "delete_any_role_binding",
    }


def test_another_process_hears_of_it(make_process, process, person, tenant, operator):
    other = make_process()
    other.warm(person["token"])
    assert delete_user(process, person, tenant, operator).status_code == 204
    until = time.monotonic() + PATIENCE
    while other.status(person["token"]) != 401:
        assert time.monotonic() < until, "the other process never heard of it"


def test_a_process_that_is_told_to_keep_nothing_asks_every_time(make_process, person):
    careful = make_process(token_cache_seconds=0.0)
    for _ in range(5):
        assert careful.status(person["token"]) == 200

    assert careful.questions == 5
