# SPDX-License-Identifier: Apache-2.0
"""What a caller sees of a job that is under way: its end, what it waits for, and why it is tried again."""

import threading
from contextlib import ExitStack

VOLUME = {"name": "data-1", "size_gib": 5}


def held(cluster, send):
    """Return the answer to a request that waits while the cluster works."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(send()))
    thread.start()
    while thread.is_alive():
        cluster.work()
        thread.join(0.01)
    return answers[0]


def test_a_caller_can_wait_for_the_end_of_the_job(tenant, cluster):
    wait = {"Prefer": "wait=20"}
    created = held(cluster, lambda: tenant("POST", "/volumes", VOLUME, headers=wait))
    path = f"/volumes/{created.json['volume']['id']}"
    deleted = held(cluster, lambda: tenant("DELETE", path, headers=wait))

    for answer, status in ((created, "ACTIVE"), (deleted, "DELETED")):
        assert answer.status_code == 202
        assert answer.headers["Preference-Applied"] == "wait=20"
        assert answer.json["job"]["state"] == "SUCCEEDED"
        assert answer.json["volume"]["status"] == status


def test_a_wait_that_is_too_long_names_the_one_that_was_kept_to(tenant, cluster):
    made = held(cluster, lambda: tenant("POST", "/volumes", VOLUME, headers={"Prefer": "wait=600"}))
    assert made.headers["Preference-Applied"] == "wait=30"


def test_a_caller_that_finds_no_place_to_wait_is_not_told_that_it_waited(app, tenant, cluster):
    slots = app.extensions["stratoplane"].wait_slots
    with ExitStack() as places:
        while places.enter_context(slots.take()):
            pass
        made = tenant("POST", "/volumes", VOLUME, headers={"Prefer": "wait=30"})
    assert (made.status_code, made.json["job"]["state"]) == (202, "PENDING")
    assert "Preference-Applied" not in made.headers


def test_a_job_says_what_it_waits_for(tenant, cluster, drain_once):
    cluster.work()

    def waits_for(job):
        return tenant("GET", f"/jobs/{job['id']}").json["steps"][0]["waits_for"]

    made = tenant.make("volumes", **VOLUME)
    assert waits_for(made["job"]) == "its turn among the jobs of all organizations"
    cluster.work()
    path = f"/volumes/{made['volume']['id']}"
    change = tenant("PATCH", path, {"size_gib": 9}).json["job"]
    deletion = tenant("DELETE", path).json["job"]
    assert waits_for(deletion) == f"the volume.resize {change['id']} before it"
    cluster.work()
    made = tenant.make("buckets", name="logs", cluster=cluster.name)
    deletion = tenant("DELETE", f"/buckets/{made['bucket']['id']}").json["job"]
    drain_once()
    assert waits_for(deletion) == f"its turn at the agent of cluster {cluster.name}"
    cluster.work()
    assert waits_for(deletion) == ""


def test_a_job_that_is_tried_again_says_why(tenant, cluster, drain_once):
    cluster.work()
    job = tenant.make("volumes", **VOLUME)["job"]
    drain_once()
    (offered,) = cluster.offers()
    named = {"id": offered["id"], "epoch": offered["epoch"]}
    cluster.agent("POST", "/acknowledgements", {"operations": [named]})
    why = {"outcome": "transient", "code": "unreachable", "detail": "no answer", "provider_text": "timed out"}
    cluster.agent("POST", "/results", {"results": [named | why]})
    drain_once()

    shown = tenant("GET", f"/jobs/{job['id']}").json
    assert (shown["state"], shown["progress"]["step"]) == ("RETRYING", "provision")
    assert shown["error"] == {
        "code": "unreachable",
        "detail": "the provider was not reached; it is tried again by itself, if the job has failed try later",
        "provider_text": "",
        "step": "provision",
    }


def test_waiting_for_a_job_ends_when_the_time_has_passed(tenant, cluster):
    job = tenant.make("volumes", **VOLUME)["job"]

    assert tenant("GET", f"/jobs/{job['id']}?wait=1").json["state"] == "PENDING"
    too_long = tenant("GET", f"/jobs/{job['id']}?wait=31")
    assert (too_long.status_code, too_long.json["code"]) == (422, "invalid_query")
    cluster.work()
    assert tenant("GET", f"/jobs/{job['id']}?wait=30").json["state"] == "SUCCEEDED"
