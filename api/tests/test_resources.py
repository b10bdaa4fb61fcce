# SPDX-License-Identifier: Apache-2.0
"""Resources of every kind over HTTP, on real services and a real database."""

import uuid

import pytest

from stratoplane_api.views.kinds import KINDS

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfMMYtQKbzYbqPTxMm1wwUJC2FnzcdIIRq0Gk0c7nL alice@laptop"
BODIES: dict[str, dict[str, object]] = {
    "virtual_machine": {"name": "web-1", "flavor": "tiny", "image": "linux"},
    "network": {"name": "front", "cidr": "10.20.0.0/24"},
    "volume": {"name": "data-1", "size_gib": 5},
    "bucket": {"name": "backups"},
    "key_pair": {"name": "alice", "public_key": PUBLIC_KEY},
}
NOBODY = "0199d2a5-0c28-7a00-8000-000000000000"
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def refused(answer, status, code):
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.data
    assert answer.mimetype == "application/problem+json"
    return answer.json


@each_kind
def test_a_resource_lives_from_create_to_delete(kind, tenant, cluster):
    created = tenant("POST", f"/{kind.path}", BODIES[kind.name])
    made = created.json[kind.name]
    path = f"/{kind.path}/{made['id']}"
    cluster.work()
    shown = tenant("GET", path)
    changed = tenant("PATCH", path, {"labels": {"env": "test"}})
    cluster.work()
    listed = tenant("GET", f"/{kind.path}?labels=env=test").json["items"]
    deleted = tenant("DELETE", path)
    cluster.work()

    assert created.status_code == (202 if kind.deferred else 201)
    assert shown.json["status"] in ("ACTIVE", "RUNNING")
    assert shown.headers["ETag"] == f'"{made["id"]}.{shown.json["version"]}"'
    assert changed.json[kind.name]["labels"] == {"env": "test"}
    assert [each["id"] for each in listed] == [made["id"]]
    assert deleted.status_code == (202 if kind.deferred else 200)
    refused(tenant("GET", path), 410, "resource_deleted")
    assert tenant("GET", f"/{kind.path}").json == {"items": [], "next": None}


def test_a_change_that_takes_time_names_its_job(tenant, cluster):
    created = tenant("POST", "/volumes", BODIES["volume"])
    job = created.json["job"]
    waiting = tenant("GET", f"/jobs/{job['id']}").json
    cluster.work()
    done = tenant("GET", f"/jobs/{job['id']}").json

    assert created.headers["Location"].endswith(f"/projects/{tenant.project_id}/jobs/{job['id']}")
    assert waiting["state"] == "PENDING"
    assert done["state"] == "SUCCEEDED"
    assert done["progress"]["done"] == done["progress"]["total"]
    assert done["created_by"] == f"user:{tenant.username}"
    assert [each["id"] for each in tenant("GET", "/jobs").json["items"]] == [job["id"]]
    assert tenant("GET", f"/jobs?resource_id={NOBODY}").json["items"] == []
    assert tenant("GET", "/jobs?status=FAILED").json["items"] == []


def test_the_trace_and_the_request_of_the_caller_are_in_job_and_audit_trail(tenant, cluster):
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "X-Request-Id": "order-17"}
    made = tenant("POST", "/volumes", BODIES["volume"], headers=headers).json
    events = tenant("GET", f"/audit-events?subject_id={made['volume']['id']}").json["items"]

    assert made["job"]["trace_id"] == trace
    assert [(each["trace_id"], each["request_id"]) for each in events] == [(trace, "order-17")]
    assert cluster.work()


def test_a_dry_run_and_the_job_are_called_by_what_is_asked_for(tenant, cluster):
    machine = tenant.make("virtual-machines", **BODIES["virtual_machine"], cluster=cluster.name)["virtual_machine"]
    cluster.work()
    path = f"/virtual-machines/{machine['id']}"
    names = ("job_kind", "steps", "interruption", "effect")
    stopped = "the running virtual machine is stopped"
    for method, where, body, expected in (
        ("PATCH", "", {"power": "STOPPED"}, ("stop", ["await_targets", "stop"], "STOP", stopped)),
        ("PATCH", "", {"name": "api"}, ("rename", ["await_targets", "rename"], None, "")),
        ("PATCH", "", {"labels": {"a": "b"}}, (None, [], None, "")),
        ("POST", "/reboots", None, ("reboot", ["reboot"], "RESTART", f"{stopped} and started again")),
        ("DELETE", "", None, ("delete", ["remove"], None, "")),
    ):
        planned = tenant(method, f"{path}{where}?dry_run=true", body)
        kind = expected[0] and f"virtual_machine.{expected[0]}"
        assert tuple(planned.json[name] for name in names) == (kind, *expected[1:]), body
    made = tenant("PATCH", path, {"power": "STOPPED"}).json["job"]
    assert (made["kind"], [step["name"] for step in made["steps"]]) == (
        "virtual_machine.stop",
        ["await_targets", "stop"],
    )


def test_a_dry_run_tells_what_would_be_and_keeps_nothing(tenant):
    answer = tenant("POST", "/virtual-machines?dry_run=true", BODIES["virtual_machine"])

    assert answer.status_code == 200
    assert answer.json["dry_run"] is True
    assert answer.json["cluster"] == "rack-1"
    assert answer.json["quota"]["vcpus"] == 1
    assert answer.json["steps"]
    assert tenant("GET", "/virtual-machines").json["items"] == []
    assert tenant("GET", "/jobs").json["items"] == []


@each_kind
def test_the_same_key_and_body_give_the_first_answer_again(kind, tenant, cluster):
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first = tenant("POST", f"/{kind.path}", BODIES[kind.name], headers=headers)
    again = tenant("POST", f"/{kind.path}", dict(reversed(BODIES[kind.name].items())), headers=headers)

    assert again.status_code == first.status_code
    assert again.json == first.json
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert len(tenant("GET", f"/{kind.path}").json["items"]) == 1
    cluster.work()


def test_a_key_may_be_quoted(tenant, cluster):
    first = tenant("POST", "/volumes", BODIES["volume"], headers={"Idempotency-Key": "same"})
    again = tenant("POST", "/volumes", BODIES["volume"], headers={"Idempotency-Key": '"same"'})

    assert again.json == first.json
    cluster.work()


def test_a_key_belongs_to_one_request_and_one_caller(tenant, cluster):
    headers = {"Idempotency-Key": "mine"}
    tenant("POST", "/volumes", BODIES["volume"], headers=headers)
    other_body = tenant("POST", "/volumes", {**BODIES["volume"], "size_gib": 6}, headers=headers)
    other_route = tenant("POST", "/buckets", BODIES["bucket"], headers=headers)
    colleague = tenant.user("organization-admin").at(f"/api/tenant/v1/projects/{tenant.project_id}")

    refused(other_body, 422, "idempotency_key_reused")
    refused(other_route, 422, "idempotency_key_reused")
    assert colleague("POST", "/buckets", BODIES["bucket"], headers=headers).status_code == 202
    refused(tenant("POST", "/volumes", BODIES["volume"], headers={"Idempotency-Key": "a b"}), 400, "malformed_request")
    cluster.work()


def test_a_replay_asks_for_the_permission_again(tenant, cluster):
    member = tenant.user("project-member", tenant.project_id)
    path = f"/api/tenant/v1/projects/{tenant.project_id}/volumes"
    headers = {"Idempotency-Key": "mine"}
    assert member("POST", path, BODIES["volume"], headers=headers).status_code == 202
    bindings = tenant.admin("GET", "/api/tenant/v1/role-bindings").json["items"]
    binding = next(each for each in bindings if each["role"] == "project-member")
    tenant.admin("DELETE", f"/api/tenant/v1/role-bindings/{binding['id']}")

    refused(member("POST", path, BODIES["volume"], headers=headers), 403, "permission_denied")
    cluster.work()


def test_a_stale_version_is_refused_and_nothing_changes(tenant, cluster):
    made = tenant.make("volumes", **BODIES["volume"])["volume"]
    cluster.work()
    path = f"/volumes/{made['id']}"
    tag = tenant("GET", path).headers["ETag"]
    assert tenant("PATCH", path, {"labels": {"a": "1"}}, headers={"If-Match": tag}).status_code == 200

    refused(tenant("PATCH", path, {"labels": {"a": "2"}}, headers={"If-Match": tag}), 412, "version_mismatch")
    refused(tenant("DELETE", path, headers={"If-Match": tag}), 412, "version_mismatch")
    refused(tenant("DELETE", path, headers={"If-Match": "3"}), 400, "malformed_request")
    assert tenant("GET", path).json["labels"] == {"a": "1"}
    assert tenant("DELETE", path, headers={"If-Match": "*"}).status_code == 202
    cluster.work()


def test_what_the_caller_has_is_not_sent_again(tenant):
    made = tenant.make("key-pairs", **BODIES["key_pair"])["key_pair"]
    path = f"/key-pairs/{made['id']}"
    tag = tenant("GET", path).headers["ETag"]

    assert tenant("GET", path, headers={"If-None-Match": tag}).status_code == 304
    tenant("PATCH", path, {"labels": {"a": "1"}})
    assert tenant("GET", path, headers={"If-None-Match": tag}).status_code == 200


def test_pages_follow_each_other_without_gap_or_repetition(tenant, cluster):
    names = [f"b-{number}" for number in range(7)]
    for name in names:
        tenant.make("buckets", name=name, labels={"parity": str(int(name[-1]) % 2)})
    cluster.work()
    seen, path = [], "/api/tenant/v1/projects/" + tenant.project_id + "/buckets?limit=3&sort=-created_at"
    while path:
        answer = tenant.admin("GET", path)
        seen += [each["name"] for each in answer.json["items"]]
        link = answer.headers.get("Link", "")
        path = link[1 : link.index(">")] if link else ""
        assert (answer.json["next"] is None) == (not link)

    assert seen == names[::-1]
    odd = tenant("GET", "/buckets?labels=parity=1&sort=name").json["items"]
    assert [each["name"] for each in odd] == ["b-1", "b-3", "b-5"]
    assert len(tenant("GET", "/buckets?labels=parity!=1&name~=b-&status=ACTIVE").json["items"]) == 4
    assert tenant("GET", "/buckets?name~=zz").json["items"] == []


@pytest.mark.parametrize(
    "query",
    ["labels=a", "labels=a=b=c", "sort=size", "status=running", "limit=1000", "name~=%25", "cursor=eA", "offset=5"],
)
def test_a_wrong_query_of_a_list_is_refused(tenant, query):
    answer = tenant("GET", f"/buckets?{query}")

    assert answer.status_code == 422
    assert answer.json["errors"]


def test_power_reboot_console_and_resize_are_jobs(tenant, cluster):
    machine = tenant.make("virtual-machines", **BODIES["virtual_machine"])["virtual_machine"]
    cluster.work()
    path = f"/virtual-machines/{machine['id']}"

    console = tenant("POST", f"{path}/console-logs")
    cluster.work()
    assert tenant("GET", f"/jobs/{console.json['job']['id']}").json["output"]["text"].startswith("login:")
    assert tenant("POST", f"{path}/reboots").status_code == 202
    cluster.work()
    assert tenant("PATCH", path, {"power": "STOPPED"}).status_code == 202
    cluster.work()
    assert tenant("GET", path).json["status"] == "STOPPED"
    refused(tenant("POST", f"{path}/reboots"), 409, "state_conflict")
    assert tenant("PATCH", path, {"flavor": "small"}).status_code == 202
    cluster.work()
    assert tenant("GET", path).json["memory_mib"] == 1024
    assert tenant("PATCH", path, {"flavor": "small"}).status_code == 200


def test_a_console_can_be_read_by_those_who_may_only(tenant, cluster):
    machine = tenant.make("virtual-machines", **BODIES["virtual_machine"])["virtual_machine"]
    cluster.work()
    reader = tenant.user("project-reader", tenant.project_id).at(f"/api/tenant/v1/projects/{tenant.project_id}")

    assert reader("GET", f"/virtual-machines/{machine['id']}").status_code == 200
    refused(reader("POST", f"/virtual-machines/{machine['id']}/console-logs"), 403, "permission_denied")
    refused(reader("DELETE", f"/virtual-machines/{machine['id']}"), 403, "permission_denied")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("virtual-machines", {"flavor": "enormous"}, 404, "resource_not_found"),
        ("virtual-machines", {"image": "none"}, 404, "resource_not_found"),
        ("virtual-machines", {"network_ids": [NOBODY]}, 404, "resource_not_found"),
        ("virtual-machines", {"volume_ids": [NOBODY]}, 404, "resource_not_found"),
        ("virtual-machines", {"key_pair": "nobody"}, 404, "resource_not_found"),
        ("virtual-machines", {"cluster": "nowhere"}, 404, "resource_not_found"),
        ("virtual-machines", {"status": "RUNNING"}, 422, "invalid_spec"),
        ("virtual-machines", {"colour": "red"}, 422, "invalid_spec"),
        ("virtual-machines", {"image": None}, 422, "invalid_spec"),
        ("virtual-machines", {"boot_volume_id": NOBODY}, 422, "invalid_spec"),
        ("networks", {"cidr": "10.0.0.0/30"}, 422, "invalid_spec"),
        ("networks", {"cidr": "8.8.8.0/24"}, 422, "invalid_spec"),
        ("networks", {"mode": "BRIDGE"}, 422, "invalid_spec"),
        ("volumes", {"size_gib": "5"}, 422, "invalid_spec"),
        ("volumes", {"image": "none"}, 404, "resource_not_found"),
        ("virtual-machines", {"user_data": "\u20ac" * 65_522}, 422, "invalid_spec"),
        ("key-pairs", {"public_key": "ssh-ed25519 " + "A" * 68}, 422, "invalid_spec"),
        ("key-pairs", {"public_key": f"{PUBLIC_KEY.rpartition(' ')[0]}="}, 422, "invalid_spec"),
        ("key-pairs", {"public_key": PUBLIC_KEY + "\u202e"}, 422, "invalid_spec"),
        ("key-pairs", {"public_key": ""}, 422, "invalid_spec"),
    ],
)
def test_what_cannot_be_made_is_refused_and_leaves_nothing(tenant, path, body, status, code):
    kind = next(each for each in KINDS if each.path == path)
    refused(tenant("POST", f"/{path}", {**BODIES[kind.name], **body}), status, code)

    assert tenant("GET", f"/{path}").json["items"] == []
    assert all(line["used"] == 0 for line in tenant("GET", "/quotas").json["project"])
    events = tenant("GET", "/audit-events")
    assert events.status_code == 200
    assert [each["action"] for each in events.json["items"]] == ["identity:project:created"]


def test_a_name_that_exists_an_overlap_and_a_used_volume_are_conflicts(tenant, cluster):
    volume = tenant.make("volumes", **BODIES["volume"])["volume"]
    tenant.make("networks", name="a", cidr="10.5.0.0/16")
    tenant.make("virtual-machines", **BODIES["virtual_machine"], volume_ids=[volume["id"]])
    cluster.work()

    refused(tenant("POST", "/volumes", BODIES["volume"]), 409, "name_taken")
    overlap = refused(tenant("POST", "/networks", {"name": "b", "cidr": "10.5.7.0/24"}), 422, "invalid_spec")
    assert overlap["errors"][0]["pointer"] == "/cidr"
    in_use = refused(tenant("DELETE", f"/volumes/{volume['id']}"), 409, "resource_in_use")
    assert in_use["used_by"] == ["virtual machine web-1"]
    other = {**BODIES["virtual_machine"], "name": "web-2", "volume_ids": [volume["id"]]}
    refused(tenant("POST", "/virtual-machines", other), 409, "resource_in_use")


def test_a_deleted_machine_takes_no_commands(tenant, cluster):
    machine = tenant.make("virtual-machines", **BODIES["virtual_machine"])["virtual_machine"]
    cluster.work()
    path = f"/virtual-machines/{machine['id']}"
    tenant("DELETE", path)
    cluster.work()

    refused(tenant("PATCH", path, {"power": "STOPPED"}), 410, "resource_deleted")
    refused(tenant("POST", f"{path}/reboots"), 410, "resource_deleted")
    refused(tenant("DELETE", path), 410, "resource_deleted")


def test_a_volume_only_grows(tenant, cluster):
    volume = tenant.make("volumes", **BODIES["volume"])["volume"]
    cluster.work()

    refused(tenant("PATCH", f"/volumes/{volume['id']}", {"size_gib": 4}), 422, "invalid_spec")
    refused(tenant("PATCH", f"/volumes/{volume['id']}", {"cluster": "rack-1"}), 422, "invalid_spec")


def test_a_full_quota_tells_its_numbers(tenant, operator, cluster):
    limits = operator("PUT", f"/api/ops/v1/projects/{tenant.project_id}/quotas", {"buckets": 1})
    tenant.make("buckets", name="one")
    problem = refused(tenant("POST", "/buckets", {"name": "two"}), 409, "quota_exceeded")

    assert {"key": "buckets", "limit": 1, "used": 0} in limits.json["project"]
    assert (problem["key"], problem["scope"], problem["limit"], problem["used"], problem["wanted"]) == (
        "buckets",
        "project",
        1,
        1,
        1,
    )
    assert {"key": "buckets", "limit": 1, "used": 1} in tenant("GET", "/quotas").json["project"]
    cluster.work()


def test_another_tenants_objects_do_not_exist(make_tenant, tenant, cluster):
    volume = tenant.make("volumes", **BODIES["volume"])
    cluster.work()
    other = make_tenant()
    foreign = f"/api/tenant/v1/projects/{tenant.project_id}"

    refused(other("GET", f"/volumes/{volume['volume']['id']}"), 404, "resource_not_found")
    refused(other("GET", f"/jobs/{volume['job']['id']}"), 404, "resource_not_found")
    refused(other("DELETE", f"/volumes/{volume['volume']['id']}"), 404, "resource_not_found")
    refused(other.admin("GET", foreign), 404, "resource_not_found")
    refused(other.admin("GET", f"{foreign}/volumes/{volume['volume']['id']}"), 404, "resource_not_found")
    refused(other.admin("POST", f"{foreign}/volumes", BODIES["volume"]), 404, "resource_not_found")
    refused(other.admin("GET", f"{foreign}/quotas"), 404, "resource_not_found")
    for collection in ("volumes", "jobs", "audit-events"):
        mine, theirs = tenant("GET", f"/{collection}"), other.admin("GET", f"{foreign}/{collection}")
        assert (mine.status_code, len(mine.json["items"]) > 0) == (200, True)
        assert (theirs.status_code, theirs.json) == (200, {"items": [], "next": None})
