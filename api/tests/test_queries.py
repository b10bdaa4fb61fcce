# SPDX-License-Identifier: Apache-2.0
"""Query strings: what is wrong with one is refused the same way by every operation of the document."""

import pytest

from api.tests.documented import described
from api.tests.test_access import ROUTES, body_of, filled, routes
from stratoplane.resources import ResourceStatus
from stratoplane_api.json_body import escape

AGENT = "/api/agent/v1"
WITH_PARAMETERS = [
    (path, method, operation)
    for path, method, operation in ROUTES
    if any(each.get("in") == "query" for each in operation["parameters"])
]
NOT_IN_A_LINE = "%E2%80%AE"
FREE_TEXT = frozenset({"assignee", "actor", "action"})
"""Parameters that take any text in one line."""


def parameters(operation):
    return [each for each in operation["parameters"] if each.get("in") == "query"]


def right_value(parameter):
    schema = parameter["schema"]
    if "enum" in schema:
        return str(schema["enum"][0])
    if schema.get("format") == "uuid":
        return "0199d2a5-0c28-7a00-8000-000000000000"
    return {"integer": "1", "boolean": "true"}.get(schema["type"], "a=b" if parameter["name"] == "labels" else "a")


def wrong_value(parameter):
    return NOT_IN_A_LINE if parameter["name"] in FREE_TEXT else "~!FOO"


def refused(send, path, method, operation, query, name, detail):
    answer = send(method.upper(), f"{filled(path)}?{query}", body_of(operation))

    assert (answer.status_code, answer.json["code"]) == (422, "invalid_query"), (query, answer.data)
    found = {each["pointer"]: each["detail"] for each in answer.json["errors"]}
    assert detail in found[f"/{escape(name)}"]


@routes(WITH_PARAMETERS)
def test_a_parameter_given_twice_is_refused(operator, path, method, operation):
    for each in parameters(operation):
        name, value = each["name"], right_value(each)
        refused(operator, path, method, operation, f"{name}={value}&{name}={value}", name, "is given 2 times")


@routes(WITH_PARAMETERS)
def test_a_wrong_value_is_refused(operator, path, method, operation):
    for each in parameters(operation):
        refused(operator, path, method, operation, f"{each['name']}={wrong_value(each)}", each["name"], "")


@routes(WITH_PARAMETERS)
def test_an_empty_value_is_refused(operator, path, method, operation):
    for each in parameters(operation):
        refused(operator, path, method, operation, f"{each['name']}=", each["name"], "is empty")


@routes(ROUTES)
def test_an_unknown_parameter_is_refused(operator, path, method, operation):
    refused(operator, path, method, operation, "frobnicate=1", "frobnicate", "is not known here; known are")
    refused(operator, path, method, operation, "frobnicate=1&frobnicate=1", "frobnicate", "is given 2 times")
    refused(operator, path, method, operation, "frobnicate=", "frobnicate", "is empty")


@routes(ROUTES)
@pytest.mark.parametrize("query", ["&", "limit", "limit=1&", "limit=%zz", "limit=%", "limit=%ff", "%ff=1"])
def test_a_malformed_query_is_refused(operator, path, method, operation, query):
    answer = operator(method.upper(), f"{filled(path)}?{query}", body_of(operation))

    assert (answer.status_code, answer.json["code"]) == (422, "invalid_query"), answer.data


@pytest.mark.parametrize("query", ["a=1", "a", "a=&a="])
def test_agents_operations_take_no_query_either(agent_app, query):
    answer = agent_app.test_client().post(f"{AGENT}/challenge?{query}", json={})

    assert (answer.status_code, answer.json["code"]) == (422, "invalid_query")


def test_a_change_that_is_asked_for_in_two_ways_changes_nothing(tenant):
    answer = tenant("POST", "/volumes?dry_run=false&dry_run=true", {"name": "twice-1", "size_gib": 1})

    assert answer.status_code == 422
    assert tenant("GET", "/volumes?name~=twice-1").json["items"] == []


@pytest.mark.parametrize("value", ["+5", "1_0", "%205", "%D9%A5", "5.0", "0", "201", "1e1"])
def test_a_number_is_digits_alone(tenant, value):
    assert tenant("GET", f"/volumes?limit={value}").status_code == 422


@pytest.mark.parametrize(
    ("collection", "taken", "refused_here"),
    [
        ("virtual-machines", ("RUNNING", "STOPPED", "LOST"), ("ACTIVE", "DELETED", "FOO", "running")),
        ("volumes", ("ACTIVE", "PENDING", "LOST"), ("RUNNING", "DELETED", "FOO")),
        ("key-pairs", ("ACTIVE",), ("PENDING", "FOO")),
        ("jobs", ("FAILED",), ("ACTIVE", "FOO")),
    ],
)
def test_a_status_is_one_of_the_kind(tenant, collection, taken, refused_here):
    for status in taken:
        assert tenant("GET", f"/{collection}?status={status}").status_code == 200
    for status in refused_here:
        assert tenant("GET", f"/{collection}?status={status}").json["code"] == "invalid_query"


def test_every_status_filter_of_a_kind_is_documented():
    for name in ("virtual-machines", "networks", "volumes", "buckets", "key-pairs"):
        operation = described()["paths"][f"/api/tenant/v1/projects/{{project_id}}/{name}"]["get"]
        (status,) = (each for each in parameters(operation) if each["name"] == "status")
        assert set(status["schema"]["enum"]) <= set(ResourceStatus)


def test_a_cursor_of_another_list_is_refused(tenant, make_tenant):
    for name in ("a", "b"):
        tenant.make("volumes", name=f"paged-{name}", size_gib=1)
    first = tenant("GET", "/volumes?limit=1").json
    following = tenant("GET", f"/volumes?limit=1&cursor={first['next']}")
    other = make_tenant()

    assert following.json["items"][0]["name"] == "paged-b"
    for send, path in ((tenant, "/networks"), (tenant, "/jobs"), (other, "/volumes"), (tenant, "/audit-events")):
        answer = send("GET", f"{path}?cursor={first['next']}")
        assert (answer.status_code, answer.json["code"]) == (422, "invalid_query"), path
        assert answer.json["errors"][0]["pointer"] == "/cursor"


@pytest.mark.parametrize(
    ("query", "hint"), [("names~=a", "did you mean 'name~'?"), ("name_contains=a", "limit, name~, sort, status")]
)
def test_the_hint_names_parameters_as_they_are_written(tenant, query, hint):
    assert tenant("GET", f"/volumes?{query}").json["errors"][0]["detail"].endswith(hint)
