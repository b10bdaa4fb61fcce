# SPDX-License-Identifier: Apache-2.0
"""The document: valid, current, complete, and true to the routes."""

import re
from pathlib import Path

import orjson
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from api.tests.documented import documented_app
from stratoplane_api.endpoints import Gate
from stratoplane_api.openapi import document
from stratoplane_api.routes import endpoints_of
from stratoplane_engine.access.permissions import Permission

COMMITTED = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"
METHODS = ("get", "post", "put", "patch", "delete")
APP = documented_app()
DOCUMENT = document(APP)
OPERATIONS = [
    (path, method, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in METHODS
]


def named(operation):
    return operation[2]["operationId"]


each_operation = pytest.mark.parametrize("described", OPERATIONS, ids=named)


def test_the_document_is_valid():
    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)


def test_the_committed_document_is_current():
    current = orjson.loads(orjson.dumps(DOCUMENT))

    assert orjson.loads(COMMITTED.read_bytes()) == current, "run: make docs"


def test_every_route_is_in_the_document_and_nothing_else():
    served = {
        (re.sub(r"<(?:id:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in APP.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert served == {(path, method) for path, method, _ in OPERATIONS}


def test_operation_ids_are_unique_and_in_one_form():
    identifiers = [operation["operationId"] for _, _, operation in OPERATIONS]

    assert sorted(identifiers) == sorted(set(identifiers))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", identifier) for identifier in identifiers)


@each_operation
def test_an_operation_says_what_it_does_and_who_may_call_it(described):
    _, _, operation = described

    assert operation["summary"][0].isupper()
    assert not operation["summary"].endswith(".")
    assert operation["tags"]
    assert operation["x-permission"] in {*Permission, *Gate}
    assert (operation["security"] == []) == (operation["x-permission"] == Gate.PUBLIC)


@each_operation
def test_an_operation_documents_its_refusals(described):
    path, _, operation = described
    statuses = set(operation["responses"])

    assert {"429", "500", "503"} <= statuses
    assert operation["x-permission"] == Gate.PUBLIC or {"401", "403"} <= statuses
    assert "{" not in path or "404" in statuses
    assert "requestBody" not in operation or {"400", "413", "415", "422"} <= statuses


@each_operation
def test_an_operation_has_an_example_of_its_request_and_answer(described):
    _, _, operation = described
    answers = [answer for status, answer in operation["responses"].items() if status[0] == "2"]
    contents = [content for answer in answers for content in answer.get("content", {}).values()]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")

    assert operation["operationId"] == "get_openapi" or not contents or any("example" in each for each in contents)
    assert body is None or "example" in body


@each_operation
def test_the_examples_are_true_to_their_schemas(described):
    _, _, operation = described
    answers = [answer for status, answer in operation["responses"].items() if status[0] == "2"]
    contents = [content for answer in answers for content in answer.get("content", {}).values()]
    contents += operation.get("requestBody", {}).get("content", {}).values()
    for content in contents:
        if "example" in content:
            whole = {**content["schema"], "components": DOCUMENT["components"]}
            example = orjson.loads(orjson.dumps(content["example"]))
            problems = [error.message for error in Draft202012Validator(whole).iter_errors(example)]
            assert not problems


@each_operation
def test_a_change_can_be_tried_without_effect_and_repeated_without_harm(described):
    path, method, operation = described
    if not path.startswith("/api/tenant/v1/projects/{project_id}/") or method == "get":
        return
    names = [each.get("name", each.get("$ref", "").rsplit("/", 1)[-1]) for each in operation["parameters"]]

    assert {"dry_run", "IdempotencyKey"} <= set(names)


def test_every_operation_is_registered_with_its_declaration():
    assert {operation.id for operation in endpoints_of(APP).values()} == {named(each) for each in OPERATIONS}


def test_requests_and_answers_are_closed():
    open_schemas = {
        name
        for name, schema in DOCUMENT["components"]["schemas"].items()
        if schema.get("additionalProperties") is not False
    }

    assert open_schemas == {"Problem", "Document"}


def test_patterns_are_understood_by_other_languages():
    assert "\\\\Z" not in orjson.dumps(DOCUMENT).decode()
    assert "(?P<" not in orjson.dumps(DOCUMENT).decode()
