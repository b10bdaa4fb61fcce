# SPDX-License-Identifier: Apache-2.0
"""What a create refuses, an update refuses with the same code and member, and a dry run tells it as well.

Nothing here names a kind's members: pairs of operations, members and their rules come from the document that the app
serves, and the other values are the ids and names of everything that there is.
"""

import itertools
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from api.tests.conftest import OPS, TENANT, Caller, Tenant, enrol_cluster
from api.tests.lamps import Policy
from stratoplane.registry import load_kinds, load_plugins
from stratoplane_api.app import create_app
from stratoplane_api.openapi import document
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services.quota import seed_limits

ODD_TEXTS = (
    *("", " ", "x" * 64, "x" * 300, "x" * 300_000, "Straße", "a b", "a\n", "-a", "a-", "..", "a/b", "\u202e", "\0"),
)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 2**31, 2**63, 2**70),
    *([], {}, [None], [{}], {"": ""}, {"a": None}, {"a": []}),
)
ODD_LABELS = ({"a b": "c"}, {"a": "b c"}, {"a": "b" * 64}, {"x" * 64: ""}, {f"k{at}": "" for at in range(65)})
POLICY = ({"policy": "refuses"}, {"policy": "breaks"})


@pytest.fixture(scope="module")
def plugins():
    manager, _ = load_plugins(())
    manager.register(Policy(), name="policy")
    kinds, _ = load_kinds(manager, [], BUILTIN_KINDS.values())
    return Plugins(manager=manager, kinds=BUILTIN_KINDS.with_plugins(kinds))


@pytest.fixture(scope="module")
def knowing(database, database_url, plugins, settings):
    """The app of processes that have the plugin, and its database."""
    opened = Database(database_url, pool_size=4, application="api-tests", kinds=plugins.kinds)
    app = create_app(opened, plugins, settings)
    yield app, opened
    opened.close()


@dataclass(kw_only=True)
class World:
    """Everything that a member could name: texts that are ids and names, and those by which nothing is named."""

    app: Any
    operator: Caller
    tenant: Tenant
    names: list[str]
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def call(self, method: str, path: str, body: Any) -> Any:
        path = path.replace("{project_id}", self.tenant.project_id)
        caller = self.operator if path.startswith(OPS) else self.tenant.admin
        sent = {} if body is None else {"data": json.dumps(body)}
        return caller(method, path, **sent, headers={"Content-Type": "application/json"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A create and the update of what it makes.

    Attributes:
        path: of the collection, with the document's parameters.
        members: rules of the members that both take, as the document has them for the create.
    """

    path: str
    item: str
    base: Mapping[str, Any]
    members: Mapping[str, Mapping[str, Any]]
    dry: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """The document that an app serves, with its references followed."""

    described: Mapping[str, Any]

    def pairs(self) -> Iterator[Pair]:
        """Return every create with the update of what it makes."""
        paths = self.described["paths"]
        for item in paths:
            path, _, last = item.rpartition("/")
            if last.startswith("{") and "post" in paths.get(path, {}) and "patch" in paths[item]:
                yield self.pair(path, item, paths[path]["post"], paths[item]["patch"])

    def verbs(self) -> Iterator[tuple[str, str, str]]:
        """Return path, method and id of every operation on one object of a project that has a dry run."""
        for path, methods in self.described["paths"].items():
            for method in methods.keys() & {"post", "delete"}:
                operation = methods[method]
                asked = [self.found(each)["name"] for each in operation.get("parameters", ())]
                if "dry_run" in asked and "{id}" in path and "{project_id}" in path:
                    yield path, method.upper(), operation["operationId"]

    def pair(self, path, item, create, update):
        body = create["requestBody"]["content"]["application/json"]
        asked, changed = (
            self.found(body["schema"]),
            self.found(update["requestBody"]["content"]["application/json"]["schema"]),
        )
        known = {"flavor": "tiny", "image": "linux", "cluster": "rack-1"}
        example = {**body["example"], **{name: known[name] for name in known.keys() & asked["properties"].keys()}}
        needed = {"image", "cluster", *asked.get("required", ())} & asked["properties"].keys() & example.keys()
        return Pair(
            path=path,
            item=item,
            base={name: example[name] for name in needed},
            members={
                name: self.found(asked["properties"][name])
                for name in asked["properties"].keys() & changed["properties"].keys()
            },
            dry="dry_run" in [self.found(each)["name"] for each in create.get("parameters", ())],
        )

    def found(self, value):
        if "$ref" not in value:
            return value
        _, _, part, name = value["$ref"].split("/")
        return self.described["components"][part][name]


def corpus(rule):
    """Return what is tried in the place of any member: what none takes, and the edges of its rule."""
    yield from (*ODD_VALUES, *ODD_TEXTS, *ODD_LABELS, *POLICY)
    for edge in (rule.get("minimum"), rule.get("maximum")):
        if edge is not None:
            yield from (edge - 1, edge, edge + 1)
    if "maxLength" in rule:
        yield "x" * (rule["maxLength"] + 1)
    if rule.get("type") == "array":
        yield [str(uuid.uuid4()) for _ in range(rule.get("maxItems", 32) + 1)]
        yield [str(UNKNOWN), str(UNKNOWN)]
        yield from ([each] for each in ODD_TEXTS)
    yield from rule.get("enum", ())


UNKNOWN = uuid.uuid4()
"""An id that nothing has: where it is looked for, every id and name is tried."""


def seen(answer):
    """Return status, code and members of a refusal; None for what is accepted."""
    if answer.status_code < 400:
        return None
    return answer.status_code, answer.json["code"], sorted(each["pointer"] for each in answer.json.get("errors", ()))


NAMED = ("name", "username")


@pytest.fixture(scope="module")
def world(knowing, operator, make_tenant, cluster, agent_app):
    """One organization with two projects, two clusters, and resources in every state that there is."""
    app, opened = knowing
    tenant = make_tenant()
    tenant.admin = Caller(client=app.test_client(), token=tenant.admin.token)
    own = Caller(client=app.test_client(), token=operator.token)
    for size in ({"vcpus": 300}, {"memory_mib": 16 * 1024 * 1024}, {"disk_gib": 60_000}):
        body = {"name": f"big-{next(iter(size)).split('_')[0]}", "vcpus": 1, "memory_mib": 512, "disk_gib": 20, **size}
        assert own("POST", f"{OPS}/flavors", body).status_code == 201
    other = enrol_cluster(opened, agent_app, operator, f"rack-{uuid.uuid4().hex[:8]}")
    names = ["tiny", "big-vcpus", "big-memory", "big-disk", "linux", other.name, str(uuid.uuid4())]
    texts = furnished(opened, tenant, make_tenant(), (cluster, other))
    seed_limits(opened)
    scopes = (f"organizations/{tenant.organization_id}", f"projects/{tenant.project_id}")
    for scope in scopes:
        lines = own("GET", f"{OPS}/{scope}/quotas").json[scope.split("s/")[0]]
        limits = {each["key"]: -1 for each in lines} | {"vcpus": 200, "storage_gib": 40_000}
        assert own("PUT", f"{OPS}/{scope}/quotas", limits).status_code == 200
    return World(app=app, operator=own, tenant=tenant, names=names + texts)


STATES = ("", "FAILED", "LOST", "DELETING", "UPDATING", "DELETED")


def furnished(database, tenant, stranger, clusters):
    """Make resources of every kind on both clusters, in every state, in other projects; return their ids."""
    second = replace(tenant, project_id=tenant.admin("POST", f"{TENANT}/projects", {"name": "second"}).json["id"])
    here, there = clusters
    made: dict[str, str] = {}

    def make(owner: Tenant, path: str, cluster: str, state: str = "", **more: Any) -> None:
        body = {**BODIES[path], "name": f"t{len(made)}", "cluster": cluster, **more}
        if path == "networks":
            body["cidr"] = f"10.{100 + len(made)}.0.0/24"
        answer = owner.make(path, **body)
        identifier = next(each["id"] for each in answer.values() if "labels" in each)
        made[identifier] = state

    for path in BODIES:
        for state in STATES:
            make(tenant, path, here.name, state)
        make(tenant, path, there.name)
        make(second, path, here.name)
        make(stranger, path, here.name)
    make(tenant, "volumes", here.name)
    volume = list(made)[-1]
    make(tenant, "virtual-machines", here.name, volume_ids=[volume])
    for each in clusters:
        each.work()
    with database.system() as connection:
        for identifier, state in made.items():
            if state == "DELETED":
                connection.run(_DELETED, {"id": identifier})
            elif state:
                connection.run(_STATE, {"id": identifier, "state": state})
    return list(made)


BODIES: Mapping[str, Mapping[str, Any]] = {
    "volumes": {"size_gib": 5},
    "buckets": {},
    "virtual-machines": {"flavor": "tiny", "image": "linux"},
    "networks": {},
}
_STATE = Statement("UPDATE resource r SET status = :state WHERE r.id = CAST(:id AS uuid)")
_DELETED = Statement("""
UPDATE resource r SET status = 'DELETED', deleted_at = clock_timestamp() WHERE r.id = CAST(:id AS uuid)
""")


@dataclass(kw_only=True)
class Walk:
    """What was tried of one pair, and where create and update, or dry and real, are not of one mind."""

    world: World
    pair: Pair
    made: str = ""
    taken: list[str] = field(default_factory=list)
    refusals: set[str] = field(default_factory=set)
    wrong: dict[str, object] = field(default_factory=dict)

    def body(self, **member):
        fresh = f"n{next(self.world.numbers)}-{uuid.uuid4().hex[:8]}"
        own = {name: fresh for name in NAMED if name in self.pair.base}
        given = (
            {"cidr": f"10.{next(self.world.numbers) % 90}.{next(self.world.numbers) % 250}.0/24"}
            if "cidr" in self.pair.base
            else {}
        )
        return {**self.pair.base, **own, **given, **member}

    def tried(self, member, value):
        create, update = self.pair.path, self.pair.item.replace(f"{{{self.pair.item.rpartition('{')[2]}", self.made)
        asked = {"create": ("POST", create, self.body(**{member: value})), "update": ("PATCH", update, {member: value})}
        found = {}
        for what, (method, path, body) in asked.items():
            if self.pair.dry:
                found[f"dry {what}"] = seen(self.world.call(method, f"{path}?dry_run=true", body))
            found[what] = seen(self.world.call(method, path, body))
        return found

    def judge(self, member, value):
        found = self.tried(member, value)
        told = f"{self.pair.path} {member}: {found}"
        if self.pair.dry and any(found[what] != found[f"dry {what}"] for what in ("create", "update")):
            self.wrong.setdefault(f"dry is not real: {told}", value)
        if found["create"] is not None:
            self.refusals.add(found["create"][1])
            if found["update"] != found["create"]:
                self.wrong.setdefault(f"update is not create: {told}", value)
        return found["create"]

    def walk(self, member, rule):
        """Try everything in the place of a member; ids and names of what there is where it is a reference."""
        for value in corpus(rule):
            self.judge(member, value)
        for value in self.taken:
            self.judge(member, value)
        whole = (lambda each: [each]) if rule.get("type") == "array" else str
        found = self.judge(member, whole(str(UNKNOWN)))
        if found is not None and found[1] == "resource_not_found":
            for each in self.world.names:
                self.judge(member, whole(each))

    def begin(self, cluster):
        """Make what is updated, and another one whose name is taken."""
        for _ in range(2):
            body = self.body()
            answer = self.world.call("POST", self.pair.path, body)
            assert answer.status_code in (201, 202), answer.data
            found = (
                answer.json if "id" in answer.json else next(each for each in answer.json.values() if "labels" in each)
            )
            self.made, self.taken = found["id"], [*self.taken, *(body[name] for name in NAMED if name in body)]
        self.taken.pop()
        cluster.work()


def test_what_a_create_refuses_an_update_refuses_and_both_tell_it_dry(world, knowing, cluster):
    cluster = replace(cluster, database=knowing[1])
    refusals, wrong, walked = set[str](), dict[str, object](), list[str]()
    for pair in Document(described=document(world.app)).pairs():
        walk = Walk(world=world, pair=pair)
        walk.begin(cluster)
        walked.append(pair.path.rpartition("/")[2])
        for member, rule in pair.members.items():
            walk.walk(member, rule)
        refusals |= walk.refusals
        wrong |= walk.wrong

    assert not wrong, "\n".join(f"{told} of {value!r:.60}" for told, value in wrong.items())
    assert {"virtual-machines", "networks", "volumes", "buckets", "key-pairs", "lamps"} <= set(walked)
    assert {"organizations", "projects", "flavors", "images", "clusters"} <= set(walked)
    assert refusals >= {
        "invalid_spec", "admission_refused", "name_taken", "quota_exceeded", "no_cluster_available",
        "resource_not_found", "resource_in_use",
    }  # fmt: skip


def test_what_a_verb_refuses_its_dry_run_refuses(world):
    """Every operation on one object that has a dry run, on objects of every kind in every state."""
    described = Document(described=document(world.app))
    jobs = [
        each["id"] for each in world.call("GET", f"{TENANT}/projects/{{project_id}}/jobs?limit=5", None).json["items"]
    ]
    walked, refusals, wrong = set[str](), set[str](), list[object]()
    for path, method, operation in described.verbs():
        for identifier in (*world.names, *jobs):
            at = path.replace("{id}", identifier)
            dry, real = (seen(world.call(method, f"{at}{query}", None)) for query in ("?dry_run=true", ""))
            walked.add(operation)
            refusals.add(real[1] if real else "")
            if dry != real:
                wrong.append((operation, identifier, dry, real))

    assert not wrong, wrong
    assert {"reboot_virtual_machine", "delete_volume", "retry_job"} <= walked
    assert refusals >= {"", "state_conflict", "resource_in_use", "resource_not_found", "resource_deleted"}
