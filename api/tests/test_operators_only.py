# SPDX-License-Identifier: Apache-2.0
"""What drivers and providers say names hosts and paths: operators see it, tenants do not."""

SECRETS = ("/srv/images", "hv-17", "native-")


def test_tenants_see_nothing_of_the_provider_and_operators_all(make_cluster, make_tenant, drain_once, operator):
    cluster, tenant = make_cluster(), make_tenant()
    tenant.make("buckets", name="one", cluster=cluster.name)
    drain_once()
    (operation,) = cluster.offers()
    result = {
        "id": operation["id"],
        "epoch": operation["epoch"],
        "outcome": "permanent",
        "code": "not_found_at_provider",
        "detail": "no file /srv/images/a.qcow2",
        "provider_text": "hv-17: no such file",
    }
    cluster.agent("POST", "/results", {"results": [result]})
    for _ in range(3):
        drain_once()
        for undo in cluster.offers():
            done = {"id": undo["id"], "epoch": undo["epoch"], "outcome": "done"}
            cluster.agent("POST", "/results", {"results": [done]})

    (job,) = tenant("GET", "/jobs").json["items"]
    assert (job["state"], job["error"]["code"]) == ("FAILED", "not_found_at_provider")
    assert job["error"]["provider_text"] == ""
    assert "choose another" in job["error"]["detail"]
    resource = tenant("GET", f"/buckets/{job['resource_id']}").json
    assert (resource["status"], resource["provider_reference"]) == ("FAILED", "")
    for path in ("/jobs", f"/jobs/{job['id']}", f"/buckets/{job['resource_id']}", "/buckets", "/audit-events"):
        answer = tenant("GET", path)
        assert answer.status_code == 200, path
        assert not [secret for secret in SECRETS if secret in answer.text], path

    shown = operator("GET", f"/api/ops/v1/jobs/{job['id']}").json["error"]
    assert (shown["detail"], shown["provider_text"]) == ("no file /srv/images/a.qcow2", "hv-17: no such file")
