# SPDX-License-Identifier: Apache-2.0
"""A kind of resources that a plugin adds: its operations, its quota and its jobs, as those of every other kind."""

from uuid import uuid4

import pytest

from api.tests.conftest import OPS, TENANT, Caller, Cluster, ConformingClient
from api.tests.load_balancers import LoadBalancerKind, LoadBalancerPlugin
from stratoplane.registry import Extension, ExtensionState, load_kinds, load_plugins
from stratoplane_api.app import create_app
from stratoplane_api.openapi import document
from stratoplane_engine.db import drift
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.drift.reconciler import reconcile
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS
from stratoplane_engine.kinds.compared import compared_kinds
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services.quota import seed_limits

MACHINE = {"name": "web-1", "flavor": "tiny", "image": "linux"}


@pytest.fixture(scope="session")
def plugins():
    manager, _ = load_plugins(())
    manager.register(LoadBalancerPlugin(), name="balancing")
    known = Extension(name="balancing", group="stratoplane.plugins", state=ExtensionState.LOADED)
    kinds, extensions = load_kinds(manager, [known], BUILTIN_KINDS.values())
    assert [each.state for each in extensions] == [ExtensionState.LOADED]
    return Plugins(manager=manager, extensions=extensions, kinds=BUILTIN_KINDS.with_plugins(kinds))


@pytest.fixture(scope="session")
def knowing_database(database_url, plugins):
    """Connections of processes that have the plugin."""
    opened = Database(database_url, pool_size=4, application="api-tests", kinds=plugins.kinds)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def knowing_app(knowing_database, plugins, settings):
    app = create_app(knowing_database, plugins, settings)
    app.test_client_class = ConformingClient
    return app


@pytest.fixture
def balanced(tenant, knowing_app, knowing_database):
    """A tenant that was there before the plugin was enabled, and now calls an API that has it."""
    seed_limits(knowing_database)
    tenant.admin = Caller(client=knowing_app.test_client(), token=tenant.admin.token)
    return tenant


@pytest.fixture
def balancing_cluster(make_cluster, knowing_database):
    """A cluster with a driver for load balancers."""
    made = make_cluster()
    providers: list[dict[str, object]] = [
        {"interface": interface, "driver": "test", "features": []}
        for interface in ("compute", "network", "storage", "load_balancer")
    ]
    providers[-1]["features"] = ["foreign_objects", "import"]
    capacity = {"vcpus": 100, "memory_mib": 100_000, "storage_gib": 1_000}
    hello = {"version": "1", "providers": providers, "capacity": capacity}
    assert made.agent("POST", "/hello", hello).status_code == 200
    return Cluster(database=knowing_database, agent=made.agent, id=made.id, name=made.name)


def test_a_resource_of_a_plugins_kind_lives_as_any_other(balanced, balancing_cluster):
    machine = balanced.make("virtual-machines", **MACHINE, cluster=balancing_cluster.name)["virtual_machine"]
    made = balanced.make("load-balancers", name="front", port=443, machine_ids=[machine["id"]])
    assert made["job"]["kind"] == "load_balancer.create"
    assert [step["name"] for step in made["job"]["steps"]] == ["await_targets", "provision"]
    assert made["load_balancer"]["cluster"] == balancing_cluster.name
    balancing_cluster.work()

    path = f"/load-balancers/{made['load_balancer']['id']}"
    shown = balanced("GET", path).json
    assert (shown["status"], shown["port"], shown["algorithm"], shown["address"]) == ("RUNNING", 443, "ROUND_ROBIN", "")
    assert shown["machine_ids"] == [machine["id"]]
    assert balanced("GET", "/load-balancers").json == {"items": [shown], "next": None}
    assert balanced("DELETE", f"/virtual-machines/{machine['id']}").json["code"] == "resource_in_use"

    changed = balanced("PATCH", path, {"algorithm": "LEAST_CONNECTIONS"})
    assert (changed.status_code, changed.json["job"]["kind"]) == (202, "load_balancer.set_algorithm")
    assert [step["name"] for step in changed.json["job"]["steps"]] == ["await_targets", "set_algorithm"]
    balancing_cluster.work()
    both = balanced("PATCH", f"{path}?dry_run=true", {"algorithm": "ROUND_ROBIN", "name": "edge"}).json
    assert (both["job_kind"], both["steps"]) == ("load_balancer.update", ["await_targets", "apply"])
    assert balanced("GET", path).json["algorithm"] == "LEAST_CONNECTIONS"

    assert balanced("DELETE", path).status_code == 202
    balancing_cluster.work()
    assert balanced("GET", path).status_code == 410


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"port": 0}, "/port"),
        ({"port": "443"}, "/port"),
        ({"algorithm": "RANDOM"}, "/algorithm"),
        ({"machine_ids": ["no-id"]}, "/machine_ids/0"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_requests_are_held_to_the_kinds_dataclass(balanced, balancing_cluster, change, pointer):
    answer = balanced("POST", "/load-balancers", {"name": "front", "port": 443, **change})

    assert (answer.status_code, [each["pointer"] for each in answer.json["errors"]]) == (422, [pointer])
    assert balanced("GET", "/load-balancers").json["items"] == []


def test_a_port_that_is_left_out_is_asked_for(balanced):
    answer = balanced("POST", "/load-balancers", {"name": "front"})

    assert answer.json["errors"] == [{"pointer": "/port", "detail": "is required"}]


def test_the_kind_is_counted_and_its_limit_is_the_operators_to_set(balanced, balancing_cluster, knowing_operator):
    line = {"key": "load_balancers", "limit": 2, "used": 0}
    assert line in balanced("GET", "/quotas").json["organization"]
    assert {**line, "limit": -1} in balanced("GET", "/quotas").json["project"]

    limits = f"{OPS}/organizations/{balanced.organization_id}/quotas"
    assert knowing_operator("PUT", limits, {"load_balancers": 1, "vcpus": 7}).status_code == 200
    assert knowing_operator("PUT", limits, {"load_balancers": -2}).json["errors"][0]["pointer"] == "/load_balancers"
    assert knowing_operator("PUT", limits, {"load_balancer": 1}).status_code == 422

    balanced.make("load-balancers", name="a", port=80, cluster=balancing_cluster.name)
    refused = balanced("POST", "/load-balancers", {"name": "b", "port": 81, "cluster": balancing_cluster.name})
    assert (refused.status_code, refused.json["key"], refused.json["limit"]) == (409, "load_balancers", 1)


def test_a_key_gets_its_first_answer_again(balanced, balancing_cluster):
    body = {"name": "front", "port": 443, "cluster": balancing_cluster.name}
    first = balanced("POST", "/load-balancers", body, headers={"Idempotency-Key": "once"})
    balancing_cluster.work()
    again = balanced("POST", "/load-balancers", body, headers={"Idempotency-Key": "once"})

    assert (again.json, again.headers["Idempotency-Replayed"]) == (first.json, "true")


def test_without_a_driver_for_it_nothing_is_accepted(balanced, cluster):
    answer = balanced("POST", "/load-balancers", {"name": "front", "port": 443, "cluster": cluster.name})

    assert (answer.status_code, answer.json["code"]) == (422, "feature_unsupported")


CAPACITY = {"vcpus": 100, "memory_mib": 100_000, "storage_gib": 1_000}


@pytest.fixture
def knowing_operator(operator, knowing_app):
    return Caller(client=knowing_app.test_client(), token=operator.token)


def show(cluster, *items, foreign=None):
    """Let the agent list its load balancers."""
    listed = [{"kind": "load_balancer", "uid": uid, "status": status} for uid, status in items]
    message = {"kinds": ["load_balancer"], "items": listed, "capacity": CAPACITY, "snapshot": str(uuid4())}
    answer = cluster.agent("POST", "/inventory", message | {"sequence": 0, "age_seconds": 0.0, "foreign": foreign})
    assert answer.status_code == 200, answer.data


def test_a_foreign_object_of_the_kind_is_listed_and_adopted(balanced, balancing_cluster, knowing_operator, operator):
    show(balancing_cluster, foreign=[{"reference": "lb-1", "name": "old", "status": {"port": 8080}}])
    query = f"?kind=load_balancer&cluster_id={balancing_cluster.id}"
    (found,) = knowing_operator("GET", f"{OPS}/foreign-objects{query}").json["items"]
    assert (found["kind"], found["reference"], found["status"]) == ("load_balancer", "lb-1", {"port": 8080})

    draft = {"cluster_id": balancing_cluster.id, "kind": "load_balancer", "reference": "lb-1", "name": "kept"}
    adopted = knowing_operator("POST", f"{OPS}/foreign-objects/adopt", {**draft, "project_id": balanced.project_id})
    assert (adopted.status_code, adopted.json["kind"]) == (202, "load_balancer.adopt")
    assert balanced("GET", f"/load-balancers/{adopted.json['resource_id']}").json["port"] == 8080

    unknown = operator("GET", f"{OPS}/foreign-objects{query}")
    choices = "must be one of virtual_machine, network, volume, bucket"
    assert (unknown.status_code, unknown.json["errors"]) == (422, [{"pointer": "/kind", "detail": choices}])


def test_the_document_names_the_kind_where_kinds_are_chosen(app, knowing_app):
    def choices(one):
        described = document(one)
        parameters = described["paths"][f"{OPS}/foreign-objects"]["get"]["parameters"]
        (listed,) = [each["schema"]["enum"] for each in parameters if each.get("name") == "kind"]
        return listed, described["components"]["schemas"]["AdoptForeignObject"]["properties"]["kind"]["enum"]

    listed, adopted = choices(app)
    assert choices(knowing_app) == ([*listed, "load_balancer"], [*adopted, "load_balancer"])


@pytest.fixture
def settled(knowing_database):
    """``settled()``: what has happened was long before the next inventory."""

    def age():
        with knowing_database.system() as connection:
            connection.run(Statement("UPDATE resource SET updated_at = updated_at - interval '1 minute'"))

    return age


def test_one_that_is_lost_and_back_has_the_status_that_its_kind_says(
    balanced, balancing_cluster, knowing_database, settled
):
    made = balanced.make("load-balancers", name="front", port=443, cluster=balancing_cluster.name)["load_balancer"]
    balancing_cluster.work()
    path = f"/load-balancers/{made['id']}"

    settled()
    show(balancing_cluster)
    reconcile(knowing_database)
    assert balanced("GET", path).json["status"] == "LOST"

    settled()
    show(balancing_cluster, (made["id"], {"port": 443, "algorithm": "ROUND_ROBIN"}))
    reconcile(knowing_database)
    assert balanced("GET", path).json["status"] == "RUNNING"


def test_a_difference_waits_while_the_plugin_is_disabled(
    balanced, balancing_cluster, database, knowing_database, settled
):
    made = balanced.make("load-balancers", name="front", port=443, cluster=balancing_cluster.name)["load_balancer"]
    balancing_cluster.work()
    settled()
    show(balancing_cluster, (made["id"], {"port": 443, "algorithm": "LEAST_CONNECTIONS"}))
    with knowing_database.system() as connection:
        drift.record(connection, compared_kinds(knowing_database.kinds), since=None, limit=10)

    assert reconcile(database).corrected == 0
    assert reconcile(knowing_database).corrected == 1
    (job, *_) = balanced("GET", "/jobs").json["items"]
    assert (job["kind"], job["created_by"]) == ("load_balancer.correct", "reconciler")


def test_machines_of_two_clusters_are_told_at_the_member_that_names_them(balanced, balancing_cluster, cluster):
    machines = [
        balanced.make("virtual-machines", **{**MACHINE, "name": f"web-{at}"}, cluster=each.name)["virtual_machine"][
            "id"
        ]
        for at, each in enumerate((balancing_cluster, cluster))
    ]

    answer = balanced("POST", "/load-balancers", {"name": "front", "port": 443, "machine_ids": machines})

    assert [each["pointer"] for each in answer.json["errors"]] == ["/machine_ids"]


def test_the_document_tells_of_the_kind_only_where_the_plugin_is_enabled(app, knowing_app):
    path = f"{TENANT}/projects/{{project_id}}/load-balancers"
    described = document(knowing_app)

    assert path not in document(app)["paths"]
    assert described["paths"][path]["post"]["operationId"] == "create_load_balancer"
    members = described["components"]["schemas"]["LoadBalancerCreate"]["properties"]
    assert (members["port"]["minimum"], members["port"]["maximum"]) == (1, 65_535)
    assert members["algorithm"]["enum"] == ["ROUND_ROBIN", "LEAST_CONNECTIONS"]
    assert members.keys() == {"name", "labels", "cluster", "port", "algorithm", "machine_ids"}


def test_a_plugin_whose_kind_cannot_be_served_is_listed_with_the_reason(app):
    class Second(LoadBalancerKind):
        name = "volume"

    manager, _ = load_plugins(())
    manager.register(LoadBalancerPlugin(Second()), name="balancing")
    known = Extension(name="balancing", group="stratoplane.plugins", state=ExtensionState.LOADED)
    kinds, (extension,) = load_kinds(manager, [known], BUILTIN_KINDS.values())

    assert (list(kinds), extension.state) == ([], ExtensionState.BROKEN)
    assert extension.reason == "there is already a kind volume"
    assert not manager.has_plugin("balancing")
