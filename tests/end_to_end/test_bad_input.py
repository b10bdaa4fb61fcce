# SPDX-License-Identifier: Apache-2.0
"""What cannot be granted is refused with a stable code, says what to do, and leaves nothing behind."""

from typing import Any
from uuid import uuid4

import pytest

IMAGE = "mock-linux"
MACHINE = {"name": "m", "flavor": "tiny", "image": IMAGE}
NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("collection", "body", "status", "code"),
    [
        ("virtual-machines", {**MACHINE, "colour": "red"}, 422, "invalid_spec"),
        ("virtual-machines", {**MACHINE, "status": "RUNNING"}, 422, "invalid_spec"),
        ("virtual-machines", {**MACHINE, "name": 7}, 422, "invalid_spec"),
        ("virtual-machines", {**MACHINE, "name": "Not A Name"}, 422, "invalid_spec"),
        ("virtual-machines", {**MACHINE, "flavor": "enormous"}, 404, "resource_not_found"),
        ("virtual-machines", {**MACHINE, "image": "none"}, 404, "resource_not_found"),
        ("virtual-machines", {**MACHINE, "network_ids": [NOBODY]}, 404, "resource_not_found"),
        ("virtual-machines", {**MACHINE, "cluster": "nowhere"}, 404, "resource_not_found"),
        ("networks", {"name": "n", "cidr": "10.0.0.0/30"}, 422, "invalid_spec"),
        ("networks", {"name": "n", "cidr": "10.0.0.1/24"}, 422, "invalid_spec"),
        ("networks", {"name": "n", "cidr": "8.8.8.0/24"}, 422, "invalid_spec"),
        ("volumes", {"name": "v", "size_gib": 0}, 422, "invalid_spec"),
        ("volumes", {"name": "v", "size_gib": "5"}, 422, "invalid_spec"),
        ("volumes", {"name": "v", "size_gib": 10**7}, 422, "invalid_spec"),
        ("key-pairs", {"name": "k", "public_key": "no key"}, 422, "invalid_spec"),
    ],
)
def test_wrong_content_is_refused_and_nothing_is_kept(
    tenant: Any, collection: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = tenant.call("POST", f"/{collection}", json=body)

    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["detail"]
    assert tenant.call("GET", f"/{collection}").json()["items"] == []
    assert tenant.used() == {}


def test_a_name_that_exists_is_refused(tenant: Any) -> None:
    tenant.make("volumes", name="data", size_gib=1)
    answer = tenant.call("POST", "/volumes", json={"name": "data", "size_gib": 1})

    assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")


def test_overlapping_ranges_of_a_project_are_refused(tenant: Any) -> None:
    tenant.make("networks", name="a", cidr="10.5.0.0/16")
    answer = tenant.call("POST", "/networks", json={"name": "b", "cidr": "10.5.7.0/24"})

    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == "/cidr"


def test_what_is_in_use_is_not_deleted(tenant: Any) -> None:
    volume = tenant.make("volumes", name="data", size_gib=1)
    tenant.make("virtual-machines", **MACHINE, volume_ids=[volume["id"]])
    deletion = tenant.call("DELETE", f"/volumes/{volume['id']}")
    second = tenant.call("POST", "/virtual-machines", json={**MACHINE, "name": "n", "volume_ids": [volume["id"]]})

    assert (deletion.status_code, deletion.json()["code"]) == (409, "resource_in_use")
    assert (second.status_code, second.json()["code"]) == (409, "resource_in_use")


def test_a_deleted_machine_takes_no_commands(tenant: Any) -> None:
    machine = tenant.make("virtual-machines", **MACHINE)
    tenant.change("DELETE", f"/virtual-machines/{machine['id']}")
    answer = tenant.call("PATCH", f"/virtual-machines/{machine['id']}", json={"power": "STOPPED"})

    assert (answer.status_code, answer.json()["code"]) == (410, "resource_deleted")


def test_a_stale_version_is_refused(tenant: Any) -> None:
    volume = tenant.make("volumes", name="data", size_gib=1)
    path = f"/volumes/{volume['id']}"
    etag = tenant.call("GET", path).headers["ETag"]
    tenant.call("PATCH", path, json={"labels": {"seen": "yes"}})
    answer = tenant.call("PATCH", path, json={"labels": {}}, headers={"If-Match": etag})

    assert (answer.status_code, answer.json()["code"]) == (412, "version_mismatch")


def test_a_full_quota_names_limit_used_and_wanted(tenant: Any) -> None:
    limits = {"volumes": 1}
    path = f"/api/ops/v1/projects/{tenant.project_id}/quotas"
    assert tenant.platform.operator.put(path, json=limits).status_code == 200
    tenant.make("volumes", name="one", size_gib=1)
    answer = tenant.call("POST", "/volumes", json={"name": "two", "size_gib": 1})

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "quota_exceeded"), answer.text
    assert (problem["key"], problem["limit"], problem["used"], problem["wanted"]) == ("volumes", 1, 1, 1)


def test_another_tenants_objects_do_not_exist(platform: Any, tenant: Any) -> None:
    from tests.end_to_end.conftest import make_tenant

    volume = tenant.make("volumes", name="mine", size_gib=1)
    other = make_tenant(platform)

    assert other.call("GET", f"/volumes/{volume['id']}").status_code == 404
    assert other.client.get(f"{tenant.path}/volumes/{volume['id']}").status_code in (403, 404)
    attached = {**MACHINE, "volume_ids": [volume["id"]]}
    assert other.call("POST", "/virtual-machines", json=attached).json()["code"] == "resource_not_found"


def test_hostile_bodies_are_refused(tenant: Any) -> None:
    path = f"{tenant.path}/volumes"
    json_type = {"Content-Type": "application/json"}
    deep = "[" * 5000 + "]" * 5000
    huge = '{"name": "' + "x" * (3 << 20) + '"}'
    answers = [tenant.client.post(path, content=text, headers=json_type) for text in (deep, huge, "{", "[]", "")]

    assert [answer.status_code for answer in answers] == [400, 413, 400, 422, 400] or all(
        400 <= answer.status_code < 500 for answer in answers
    )
    assert all(answer.headers["Content-Type"].startswith("application/problem+json") for answer in answers)


def test_unknown_credentials_open_nothing(platform: Any) -> None:
    import httpx

    answer = httpx.get(f"{platform.url}/api/common/v1/me", headers={"Authorization": f"Bearer {uuid4()}"})

    assert (answer.status_code, answer.json()["code"]) == (401, "authentication_failed")
    assert answer.headers["WWW-Authenticate"]
