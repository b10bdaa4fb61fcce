# SPDX-License-Identifier: Apache-2.0
"""The gateway on a real PostgreSQL, and a client that holds every answer to the OpenAPI document."""

import uuid

import psycopg
import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator, FormatChecker
from psycopg import sql

from stratoplane_api.app import create_agent_app, create_app
from stratoplane_api.openapi import document
from stratoplane_api.settings import ApiSettings
from stratoplane_engine.db import migrate
from stratoplane_engine.db.connection import Database
from stratoplane_engine.plugins import Plugins


@pytest.fixture(scope="session")
def database_url(postgresql_server):
    """A migrated database of this session's own."""
    name = f"api_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = psycopg.conninfo.conninfo_to_dict(postgresql_server) | {"dbname": name}
    made = "postgresql://?" + "&".join(f"{key}={value}" for key, value in url.items())
    migrate.upgrade(made)
    return made


@pytest.fixture(scope="session")
def database(database_url):
    database = Database(database_url, pool_size=4, application="api-tests")
    yield database
    database.close()


@pytest.fixture(scope="session")
def settings(database_url):
    return ApiSettings(database_url=database_url)


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

    def open(self, *args, **kwargs):
        response = super().open(*args, **kwargs)
        check_answer(self.application, response)
        return response


def check_answer(app, response):
    described = document(app)
    adapter = app.url_map.bind("localhost")
    path, method = response.request.path, response.request.method
    if not adapter.test(path, method) or method == "OPTIONS":
        return
    rule, _ = adapter.match(path, method, return_rule=True)
    template = rule.rule.replace("<id:", "{").replace(">", "}")
    operation = described["paths"][template][method.lower()]
    assert str(response.status_code) in operation["responses"], (operation["operationId"], response.data)
    if response.status_code in (204, 304):
        assert response.data == b""
        return
    answer = operation["responses"][str(response.status_code)]
    if "$ref" in answer:
        answer = described["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
    schema = answer["content"][response.mimetype]["schema"]
    whole = {**schema, "components": described["components"]}
    errors = [
        f"{'/'.join(map(str, error.path))}: {error.message[:300]}"
        for error in Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(response.json)
    ]
    assert not errors, (operation["operationId"], errors)
