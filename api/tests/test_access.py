# SPDX-License-Identifier: Apache-2.0
"""Every route of the document against every sort of caller: nobody passes where the declaration does not let them."""

import re

import pytest

from api.tests.documented import described

NOBODY = "0199d2a5-0c28-7a00-8000-000000000000"
ROUTES = [
    (path, method, operation)
    for path, item in described()["paths"].items()
    for method, operation in item.items()
    if method in ("get", "post", "put", "patch", "delete")
]
PROTECTED = [each for each in ROUTES if each[2]["x-permission"] != "public"]
OPERATORS = [each for each in PROTECTED if each[0].startswith("/api/ops/") and each[2]["x-permission"] != "self"]
IN_PROJECT = [each for each in PROTECTED if "/projects/{project_id}" in each[0] and each[0].startswith("/api/tenant/")]


def routes(chosen):
    return pytest.mark.parametrize(
        ("path", "method", "operation"), chosen, ids=[each[2]["operationId"] for each in chosen]
    )


def body_of(operation):
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return content.get("example")


def filled(path, **known):
    return re.sub(r"\{(\w+)\}", lambda match: known.get(match[1], NOBODY), path)


@routes(PROTECTED)
def test_without_a_credential_a_route_is_closed(app, path, method, operation):
    answer = app.test_client().open(filled(path), method=method, json=body_of(operation))

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"]


@routes(PROTECTED)
def test_an_agents_credential_opens_no_route_of_people(app, cluster, path, method, operation):
    headers = cluster.agent.headers("/hello", b"{}")
    answer = app.test_client().open(filled(path), method=method, json=body_of(operation), headers=headers)

    assert answer.status_code == 401


@routes(OPERATORS)
def test_a_tenants_administrator_opens_no_route_of_operators(tenant, path, method, operation):
    answer = tenant.admin(method.upper(), filled(path), body_of(operation))

    assert answer.status_code == 403
    assert answer.json["code"] == "permission_denied"


@routes(IN_PROJECT)
def test_a_foreign_project_gives_nothing(foreigner, canary, path, method, operation):
    answer = foreigner.admin(
        method.upper(), filled(path, project_id=canary["project_id"], id=canary["id"]), body_of(operation)
    )

    assert answer.status_code in (404, 409) or answer.json.get("items") == [], answer.data
    assert canary["name"].encode() not in answer.data
    assert canary["secret"].encode() not in answer.data


@routes(IN_PROJECT)
def test_a_role_elsewhere_opens_no_route_of_a_project(strangers, canary, path, method, operation):
    answer = strangers(
        method.upper(), filled(path, project_id=canary["project_id"], id=canary["id"]), body_of(operation)
    )

    assert answer.status_code in (403, 404), answer.data
    assert canary["secret"].encode() not in answer.data


@pytest.fixture(scope="module")
def victim(make_tenant, cluster):
    return make_tenant()


@pytest.fixture(scope="module")
def canary(victim, cluster):
    """A resource with words that no answer to anybody else may hold."""
    secret = "canary-7f3a9c"
    made = victim.make("volumes", name="canary-volume-51d0", size_gib=1, labels={"secret": secret})["volume"]
    cluster.work()
    return {"project_id": victim.project_id, "id": made["id"], "name": made["name"], "secret": secret}


@pytest.fixture(scope="module")
def strangers(victim):
    """A member of another project of the same organization."""
    other = victim.admin("POST", "/api/tenant/v1/projects", {"name": "other"}).json["id"]
    return victim.user("project-member", other)


@pytest.fixture(scope="module")
def foreigner(make_tenant):
    """The administrator of another organization."""
    return make_tenant()
