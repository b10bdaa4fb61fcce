# SPDX-License-Identifier: Apache-2.0
"""What the provider's operators do: organizations, quotas, clusters, catalogue, jobs, plugins; public routes."""

import uuid

import pytest

COMMON, OPS = "/api/common/v1", "/api/ops/v1"
NOBODY = "0199d2a5-0c28-7a00-8000-000000000000"
FLAVOR = {"vcpus": 1, "memory_mib": 512, "disk_gib": 2}


def refused(answer, status, code):
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.data
    return answer.json


def fresh(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


@pytest.mark.parametrize(
    ("path", "body", "change"),
    [
        ("organizations", {"display_name": "Acme"}, {"labels": {"tier": "gold"}}),
        ("clusters", {"description": "First"}, {"state": "DRAINING", "labels": {"zone": "a"}}),
        ("flavors", FLAVOR, {"memory_mib": 1024}),
        ("images", {"source": "debian.qcow2", "minimum_disk_gib": 2}, {"description": "Debian"}),
    ],
)
def test_an_entry_lives_from_create_to_delete(operator, path, body, change):
    name = fresh(path[:4])
    made = operator("POST", f"{OPS}/{path}", {"name": name, **body})
    where, tag = made.headers["Location"], made.headers["ETag"]
    changed = operator("PATCH", where, change, headers={"If-Match": tag})

    assert made.status_code == 201
    assert changed.status_code == 200
    assert change.items() <= changed.json.items()
    refused(operator("PATCH", where, change, headers={"If-Match": tag}), 412, "version_mismatch")
    refused(operator("POST", f"{OPS}/{path}", {"name": name, **body}), 409, "name_taken")
    assert operator("GET", where, headers={"If-None-Match": changed.headers["ETag"]}).status_code == 304
    assert name in {each["name"] for each in operator("GET", f"{OPS}/{path}?limit=200").json["items"]}
    assert operator("DELETE", where).status_code == 204
    refused(operator("GET", where), 404, "resource_not_found")
    refused(operator("DELETE", where), 404, "resource_not_found")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("flavors", {**FLAVOR, "name": "x", "vcpus": 0}),
        ("flavors", {**FLAVOR, "name": "x", "memory_mib": "512"}),
        ("flavors", {**FLAVOR, "name": "-x"}),
        ("flavors", {"name": "x"}),
        ("images", {"name": "x", "source": "../../etc/passwd"}),
        ("images", {"name": "x", "source": "/etc/passwd"}),
        ("images", {"name": "x", "source": "a.vmdk", "format": "vmdk"}),
        ("images", {"name": "x", "source": "a", "sha256": "abc"}),
        ("clusters", {"name": "x", "state": "ENABLED"}),
        ("clusters", {"name": "x", "vcpus_total": 5}),
        ("organizations", {"name": "x", "quota": {}}),
    ],
)
def test_a_wrong_entry_is_not_made(operator, path, body):
    refused(operator("POST", f"{OPS}/{path}", body), 422, "invalid_spec")


def test_an_organization_with_projects_and_a_cluster_with_resources_are_in_use(operator, tenant, cluster):
    tenant.make("buckets", name="one")
    cluster.work()

    refused(operator("DELETE", f"{OPS}/organizations/{tenant.organization_id}"), 409, "resource_in_use")
    refused(operator("DELETE", f"{OPS}/clusters/{cluster.id}"), 409, "resource_in_use")


def test_limits_are_set_by_key_and_the_others_stay(operator, tenant):
    path = f"{OPS}/organizations/{tenant.organization_id}/quotas"
    before = {each["key"]: each["limit"] for each in operator("GET", path).json["organization"]}
    after = {each["key"]: each["limit"] for each in operator("PUT", path, {"vcpus": 7}).json["organization"]}

    assert after == {**before, "vcpus": 7}
    refused(operator("PUT", path, {"vcpus": -2}), 422, "invalid_spec")
    refused(operator("PUT", path, {"vcpu": 7}), 422, "invalid_spec")
    refused(operator("PUT", path, {"vcpus": 1.5}), 422, "invalid_spec")
    refused(operator("GET", f"{OPS}/organizations/{NOBODY}/quotas"), 404, "resource_not_found")
    assert operator("GET", f"{OPS}/projects/{tenant.project_id}/quotas").json["project"]


def test_operators_see_users_bindings_jobs_and_events_of_all(operator, tenant, cluster):
    job = tenant.make("buckets", name="one")["job"]
    cluster.work()

    users = operator("GET", f"{OPS}/users?limit=200").json["items"]
    user = next(each for each in users if each["username"] == tenant.username)
    assert operator("GET", f"{OPS}/users/{user['id']}").json == user
    bindings = operator("GET", f"{OPS}/role-bindings?limit=200").json["items"]
    assert any(each["user_id"] == user["id"] for each in bindings)
    assert operator("GET", f"{OPS}/roles").json["items"]
    assert job["id"] in {each["id"] for each in operator("GET", f"{OPS}/jobs?status=SUCCEEDED").json["items"]}
    assert operator("GET", f"{OPS}/jobs/{job['id']}").json["state"] == "SUCCEEDED"
    refused(operator("GET", f"{OPS}/jobs/{NOBODY}"), 404, "resource_not_found")
    events = operator("GET", f"{OPS}/audit-events?subject_id={job['resource_id']}").json["items"]
    assert {each["action"] for each in events} >= {"tenant:resource:create-accepted", "engine:job:succeeded"}
    assert operator("DELETE", f"{OPS}/users/{user['id']}").status_code == 204


def test_providers_and_clusters_are_as_the_agent_reported_them(operator, tenant, cluster):
    providers = operator("GET", f"{OPS}/providers").json["items"]
    shown = operator("GET", f"{OPS}/clusters/{cluster.id}").json

    assert {each["interface"] for each in providers if each["cluster"] == cluster.name} == {
        "compute",
        "network",
        "storage",
    }
    assert shown["online"] is True
    assert shown["vcpus_total"] == 10_000
    names = tenant.admin("GET", f"{COMMON}/clusters?limit=200").json["items"]
    assert {"name": cluster.name, "features": shown["features"], "online": True} in names


def test_tenants_see_the_catalogue_without_what_is_the_operators(tenant):
    flavors = tenant.admin("GET", f"{COMMON}/flavors?limit=200").json["items"]
    images = tenant.admin("GET", f"{COMMON}/images?limit=200").json["items"]

    assert "tiny" in {each["name"] for each in flavors}
    assert "linux" in {each["name"] for each in images}
    assert all("source" not in each for each in images)


def test_a_join_token_is_for_a_cluster_that_exists(operator):
    refused(operator("POST", f"{OPS}/clusters/{NOBODY}/join-tokens", {}), 404, "resource_not_found")
    refused(operator("POST", f"{OPS}/clusters/{NOBODY}/join-tokens", {"expires_in": 1}), 422, "invalid_spec")


def test_plugins_are_listed_with_their_state(operator):
    listed = operator("GET", f"{OPS}/plugins").json["items"]

    assert all(each["state"] in {"LOADED", "DISABLED", "MISSING", "BROKEN"} for each in listed)


def test_anybody_may_ask_for_version_health_and_document(app, operator):
    client = app.test_client()

    assert client.get(f"{COMMON}/version").json["api"] == "v1"
    assert client.get(f"{COMMON}/health").json["status"] == "ok"
    assert client.get(f"{COMMON}/openapi.json").json["openapi"] == "3.1.0"
