# SPDX-License-Identifier: Apache-2.0
"""The gateway on a real PostgreSQL, commanded over HTTP alone, and a client that holds every answer to the document."""

import functools
import random
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator, FormatChecker
from psycopg import sql

from api.tests.signing_agent import Agent, enrol_agent
from stratoplane_api.app import create_agent_app, create_app
from stratoplane_api.openapi import document
from stratoplane_api.settings import ApiSettings
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.migrate import upgrade
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.jobs.worker_loop import drain
from stratoplane_engine.model.catalogue import ImageDraft
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services.bootstrap import bootstrap, create_administrator
from stratoplane_engine.services.credentials import PasswordHasher

COMMON, TENANT, OPS, AGENT = "/api/common/v1", "/api/tenant/v1", "/api/ops/v1", "/api/agent/v1"
IMAGE = ImageDraft(name="linux", source="linux.qcow2")
FEATURES = ["buckets", "console_log", "reboot", "resize"]


@contextmanager
def migrated_database(server):
    """Make a migrated database on a server, give its URL, and drop it."""
    name = f"api_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    upgrade(url)
    yield url
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def database_url(postgresql_server):
    """URL of a migrated database of this session's own."""
    with migrated_database(postgresql_server) as url:
        yield url


@pytest.fixture(scope="session")
def database(database_url):
    database = Database(database_url, pool_size=4, application="api-tests")
    bootstrap(database, [IMAGE])
    yield database
    database.close()


@pytest.fixture(scope="session")
def settings(database_url):
    return ApiSettings(database_url=database_url, password_passes=1, password_memory_kib=8)


@pytest.fixture(scope="session")
def app(database, settings):
    app = create_app(database, Plugins.load(()), settings)
    app.test_client_class = ConformingClient
    return app


@pytest.fixture(scope="session")
def agent_app(database, settings):
    return create_agent_app(database, settings)


class ConformingClient(FlaskClient):
    """Fails a test whose answer is not what the document says: status, media type, content."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        response = super().open(*args, **kwargs)
        check_answer(self.application, response)
        return response


def check_answer(app, response):
    described = document(app)
    path, method = response.request.path, response.request.method
    adapter = app.url_map.bind("localhost")
    if method in {"OPTIONS", "HEAD"} or not adapter.test(path, method):
        return
    rule, _ = adapter.match(path, method, return_rule=True)
    operation = described["paths"][rule.rule.replace("<id:", "{").replace(">", "}")][method.lower()]
    told = (operation["operationId"], response.status_code, response.data[:400])
    assert str(response.status_code) in operation["responses"], told
    if response.status_code in (204, 304):
        assert response.data == b"", told
        return
    answer = operation["responses"][str(response.status_code)]
    if "$ref" in answer:
        answer = described["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
    schema = {**answer["content"][response.mimetype]["schema"], "components": described["components"]}
    wrong = Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(response.json)
    problems = [f"/{'/'.join(map(str, error.path))}: {error.message[:300]}" for error in wrong]
    assert not problems, (*told, problems)


@dataclass(kw_only=True)
class Caller:
    """Somebody with a token, whose paths begin with ``prefix``."""

    client: FlaskClient
    token: str
    prefix: str = ""

    def __call__(self, method: str, path: str, json: Any = None, *, headers: Any = (), **options: Any) -> Any:
        sent = {"Authorization": f"Bearer {self.token}", **dict(headers)}
        if json is not None:
            options["json"] = json
        return self.client.open(f"{self.prefix}{path}", method=method, headers=sent, **options)

    def at(self, prefix: str) -> "Caller":
        return Caller(client=self.client, token=self.token, prefix=prefix)


def log_in(app, username, password):
    client = app.test_client()
    answer = client.post(f"{COMMON}/login", json={"username": username, "password": password})
    assert answer.status_code == 200, answer.data
    return Caller(client=client, token=answer.json["token"])


@pytest.fixture(scope="session")
def operator(app, database, settings):
    """The provider's administrator; paths are whole."""
    create_administrator(database, PasswordHasher(settings.password_cost), "root", "a long pass phrase")
    return log_in(app, "root", "a long pass phrase")


@dataclass(kw_only=True)
class Tenant:
    """An organization with an administrator and one project; calls are below the project."""

    organization_id: str
    project_id: str
    username: str
    admin: Caller

    def __call__(self, method: str, path: str, json: Any = None, **options: Any) -> Any:
        return self.admin(method, f"{TENANT}/projects/{self.project_id}{path}", json, **options)

    def make(self, kind: str, **body: Any) -> Any:
        answer = self("POST", f"/{kind}", body)
        assert answer.status_code in (201, 202), answer.data
        return answer.json

    def user(self, role: str, project_id: str | None = None) -> Caller:
        """Make a user with one role and log it in."""
        username = f"user-{uuid.uuid4().hex[:12]}"
        made = self.admin("POST", f"{TENANT}/users", {"username": username, "password": "a long pass phrase"})
        binding = {"user_id": made.json["id"], "role": role} | ({"project_id": project_id} if project_id else {})
        assert self.admin("POST", f"{TENANT}/role-bindings", binding).status_code == 201
        return log_in(self.admin.client.application, username, "a long pass phrase")


@pytest.fixture(scope="session")
def make_tenant(app, operator):
    """``make_tenant()``: another organization."""

    def make() -> Tenant:
        name = f"org-{uuid.uuid4().hex[:12]}"
        organization_id = operator("POST", f"{OPS}/organizations", {"name": name}).json["id"]
        user = {"organization_id": organization_id, "username": f"admin-{name}", "password": "a long pass phrase"}
        made = operator("POST", f"{OPS}/users", user)
        binding = {"user_id": made.json["id"], "role": "organization-admin"}
        assert operator("POST", f"{OPS}/role-bindings", binding).status_code == 201
        admin = log_in(app, user["username"], user["password"])
        project = admin("POST", f"{TENANT}/projects", {"name": "main"})
        return Tenant(
            organization_id=organization_id,
            project_id=project.json["id"],
            username=user["username"],
            admin=admin,
        )

    return make


@pytest.fixture
def tenant(make_tenant, cluster):
    """An organization of this test's own, on a platform with one cluster."""
    return make_tenant()


@pytest.fixture
def drain_once(database):
    """``drain_once()``: be the worker until no job can be moved on."""
    return lambda: drain(database, Plugins.load(()), owner="tests", generator=random.Random(7))


@pytest.fixture(scope="session")
def join(agent_app):
    """``join(token, name=..., version=...)``: the answer to an enrolment, and the key that it was for."""
    return functools.partial(enrol_agent, agent_app.test_client())


@dataclass(kw_only=True)
class Cluster:
    """A cluster and its agent, which tests play over HTTP."""

    database: Database
    agent: Agent
    id: str
    name: str

    def offers(self, wait_seconds: float = 0) -> list[Any]:
        return self.agent("POST", "/offers", {"maximum": 100, "wait_seconds": wait_seconds}).json["operations"]

    def work(self) -> int:
        """Be worker and agent until nothing is left to do; everything succeeds."""
        rounds = 0
        while True:
            moved = drain(self.database, Plugins.load(()), owner="tests", generator=random.Random(7))
            operations = self.offers()
            if not moved and not operations:
                return rounds
            rounds += 1
            named = [{"id": each["id"], "epoch": each["epoch"]} for each in operations]
            self.agent("POST", "/acknowledgements", {"operations": named})
            done = [each | {"outcome": "done", "status": status_of(each)} for each in operations]
            shown = [{key: each[key] for key in ("id", "epoch", "outcome", "status")} for each in done]
            self.agent("POST", "/results", {"results": shown})


def status_of(operation):
    if operation["verb"] in {"delete", "reboot"}:
        return None
    if operation["verb"] == "console_log":
        return {"text": "login:\x00"}
    cards = operation["spec"].get("interfaces", ())
    addresses = [{**card, "address": f"10.0.0.{at + 2}"} for at, card in enumerate(cards)]
    return {**operation["spec"], "provider_reference": f"native-{operation['uid']}", "addresses": addresses}


@pytest.fixture(scope="session")
def cluster(database, agent_app, operator):
    """The one cluster, enrolled and connected."""
    return enrol_cluster(database, agent_app, operator, "rack-1")


@pytest.fixture(autouse=True)
def cluster_is_heard_of(request):
    """Let the agent speak up: between two tests of one session, tests of others may take longer than its silence."""
    if "cluster" in request.fixturenames:
        request.getfixturevalue("cluster").agent("POST", "/offers", {"maximum": 0, "wait_seconds": 0})


@pytest.fixture
def make_cluster(database, agent_app, operator):
    """``make_cluster()``: another cluster, enrolled and connected; afterwards it takes nothing new."""
    made = []

    def make() -> Cluster:
        made.append(enrol_cluster(database, agent_app, operator, f"rack-{uuid.uuid4().hex[:8]}"))
        return made[-1]

    yield make
    for cluster in made:
        operator("PATCH", f"{OPS}/clusters/{cluster.id}", {"state": "DISABLED"})


def enrol_cluster(database, agent_app, operator, name):
    cluster_id = operator("POST", f"{OPS}/clusters", {"name": name}).json["id"]
    join = operator("POST", f"{OPS}/clusters/{cluster_id}/join-tokens", {}).json["token"]
    client = agent_app.test_client()
    enrolment, key = enrol_agent(client, join, f"agent-{name}")
    assert enrolment.status_code == 200, enrolment.data
    agent = Agent(client=client, id=enrolment.json["agent_id"], key=key)
    hello = {
        "version": "1",
        "providers": [
            {"interface": interface, "driver": "test", "features": FEATURES}
            for interface in ("compute", "network", "storage")
        ],
        "capacity": {"vcpus": 10_000, "memory_mib": 10_000_000, "storage_gib": 1_000_000},
    }
    assert agent("POST", "/hello", hello).status_code == 200
    return Cluster(database=database, agent=agent, id=cluster_id, name=name)


@pytest.fixture
def ask(database):
    """``ask(sql, **parameters)``: rows of the platform's own database."""

    def run(statement, **parameters):
        with database.system() as connection:
            return [tuple(row.values()) for row in connection.documents(Statement(statement), parameters)]

    return run


@pytest.fixture
def refusals(ask):
    """``refusals(agent_id)``: recorded reasons; those without an agent when no id is given."""

    def read(agent_id=None):
        statement = """SELECT e.detail ->> 'reason' FROM audit_event e WHERE e.action = 'agent:agent:refused'
            AND e.subject_id IS NOT DISTINCT FROM CAST(:id AS uuid)"""
        return [reason for (reason,) in ask(statement, id=agent_id)]

    return read


@pytest.fixture
def token(operator):
    """A join token of a cluster of its own, which has no agent yet."""
    cluster = operator("POST", f"{OPS}/clusters", {"name": f"rack-{uuid.uuid4().hex[:8]}"}).json
    return operator("POST", f"{OPS}/clusters/{cluster['id']}/join-tokens", {}).json


@pytest.fixture
def working(make_cluster, make_tenant, drain_once):
    """``working()``: a cluster with one operation on offer, which is returned as well."""

    def make():
        cluster, tenant = make_cluster(), make_tenant()
        tenant.make("buckets", name="one", cluster=cluster.name)
        drain_once()
        (operation,) = cluster.offers()
        return cluster, operation

    return make
