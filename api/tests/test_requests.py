# SPDX-License-Identifier: Apache-2.0
"""What every request passes and how every refusal looks, on a small namespace of its own."""

import logging
import uuid

import orjson
import pytest
from flask import Flask, Response, g
from marshmallow import fields
from werkzeug.exceptions import BadGateway, BadRequest, ImATeapot

from stratoplane.errors import AuthenticationFailedError, PermissionDeniedError, QuotaExceededError, UnavailableError
from stratoplane_api import answers
from stratoplane_api.admission import Admission
from stratoplane_api.assembly import assemble
from stratoplane_api.authentication import by_token
from stratoplane_api.endpoints import SMALL_BODY, Endpoint, Feature, Gate
from stratoplane_api.ratelimit import Limit
from stratoplane_api.routes import Routes, UndeclaredAccessError, require_declarations
from stratoplane_api.schemas import members as m
from stratoplane_api.schemas.queries import ChangeQuery, PageQuery
from stratoplane_api.schemas.strict import Request
from stratoplane_engine.access.context import Actor
from stratoplane_engine.access.permissions import Grant, Permission
from stratoplane_engine.model.identity import Scope

ORGANIZATION = uuid.uuid4()
PLENTY = Limit(name="requests", requests=1000, seconds=60)


def actor(name, scope, *permissions):
    grant = Grant(scope=scope, organization_id=ORGANIZATION, permissions=frozenset(permissions))
    return Actor(
        id=uuid.uuid4(),
        name=f"user:{name}",
        organization_id=ORGANIZATION,
        credential_id=uuid.uuid4(),
        grants=(grant,),
    )


ACTORS = {
    "tenant": actor("tenant", Scope.ORGANIZATION, Permission.RESOURCE_READ, Permission.PLATFORM_READ),
    "operator": actor("operator", Scope.PLATFORM, *Permission),
    "nobody": actor("nobody", Scope.PROJECT),
}


ACTORS["tenant-again"] = ACTORS["tenant"]


def authenticate(token):
    if token not in ACTORS:
        raise AuthenticationFailedError("the token is unknown; log in again")
    return ACTORS[token]


class Thing(Request):
    name = m.name(required=True)
    size = m.whole(least=1, most=9)
    labels = m.labels()
    parts = fields.List(fields.Nested(Request.from_dict({"weight": m.whole(required=True)}, name="Part")))


def operation(name, method="GET", path=None, access=Permission.RESOURCE_READ, **more):
    return Endpoint(id=name, method=method, path=path or f"/{name}", access=access, summary=name, tag="Tests", **more)


def tenant_routes():
    routes = Routes("tenant", "/api/tenant/v1", "Tests.")

    @routes.add(operation("list_things", path="/things", query=PageQuery))
    def list_things():
        return answers.content({"limit": g.query["limit"]})

    @routes.add(operation("create_thing", "POST", "/things", query=ChangeQuery, body=Thing))
    def create_thing(body):
        return answers.content(body, 201)

    @routes.add(operation("get_thing", path="/things/<id:id>", features=frozenset({Feature.VERSIONED})))
    def get_thing(id):  # noqa: A002
        return answers.item({"id": id, "version": 3})

    @routes.add(operation("fail", path="/failures/<id:id>"))
    def fail(id):  # noqa: A002
        raise FAILURES[str(id)[-1]]

    @routes.add(operation("open", access=Gate.PUBLIC))
    def open_to_all():
        return answers.empty()

    return routes


def operator_routes():
    routes = Routes("ops", "/api/ops/v1", "Tests.")

    @routes.add(operation("list_clusters", path="/clusters", access=Permission.PLATFORM_READ))
    def list_clusters():
        return answers.content([])

    return routes


FAILURES = {
    "0": UnavailableError("the database does not answer", retry_after=3.2),
    "1": QuotaExceededError("full", key="vcpus", scope="project", limit=4, used=4, wanted=1),
    "2": ZeroDivisionError("a secret of the inside"),
    "3": PermissionDeniedError("no", permission="resource:write"),
    "4": BadRequest("the host is not valid"),
    "5": ImATeapot(),
    "6": BadGateway(),
}
ANY_ID = "00000000-0000-7000-8000-00000000000"


def build(limiter=None, limit=PLENTY):
    rules = Admission(authenticate=by_token(authenticate), limiter=limiter, limit=limit, refusal_limit=limit)
    return assemble((tenant_routes(), operator_routes()), rules)


@pytest.fixture(scope="module")
def app():
    return build()


@pytest.fixture
def call(app):
    client = app.test_client()

    def send(method, path, *, token="tenant", **options):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return client.open(path, method=method, headers={**headers, **options.pop("headers", {})}, **options)

    return send


def problem(response, status, code):
    assert response.status_code == status, response.data
    assert response.mimetype == "application/problem+json"
    assert response.json["status"] == status
    assert response.json["code"] == code
    assert response.json["type"] == f"urn:stratoplane:problem:{code}"
    assert response.json["title"]
    assert response.json["detail"]
    assert response.json["request_id"] == response.headers["X-Request-Id"]
    assert len(response.json["trace_id"]) == 32
    assert b"Traceback" not in response.data
    return response.json


def test_an_unknown_path_is_a_problem(call):
    problem(call("GET", "/api/tenant/v1/nothing"), 404, "route_not_found")


def test_a_wrong_method_names_the_right_ones(call):
    response = call("PUT", "/api/tenant/v1/things")

    problem(response, 405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) >= {"GET", "POST"}


def test_options_names_the_methods(call):
    assert {"GET", "POST"} <= set(call("OPTIONS", "/api/tenant/v1/things").headers["Allow"].split(", "))


@pytest.mark.parametrize("header", [None, "Basic YTpi", "Bearer unknown"])
def test_a_request_without_a_valid_credential_is_told_how_to_get_one(call, header):
    headers = {"Authorization": header} if header else {}
    response = call("GET", "/api/tenant/v1/things", token=None, headers=headers)

    problem(response, 401, "authentication_failed")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_public_operation_looks_at_no_credential(call):
    assert call("GET", "/api/tenant/v1/open", token=None).status_code == 204
    assert call("GET", "/api/tenant/v1/open", token="unknown").status_code == 204


def test_who_holds_the_permission_nowhere_is_refused(call):
    refused = problem(call("GET", "/api/tenant/v1/things", token="nobody"), 403, "permission_denied")

    assert refused["permission"] == "resource:read"


def test_operators_routes_ask_for_the_permission_on_the_whole_platform(call):
    problem(call("GET", "/api/ops/v1/clusters"), 403, "permission_denied")
    assert call("GET", "/api/ops/v1/clusters", token="operator").status_code == 200


@pytest.mark.parametrize(
    "path", ["x", "1", "0199d2a5-0c28-7a00-8000-9f504fb17c0", "0199d2a50c287a0080009f504fb17c06", "%00"]
)
def test_what_is_no_id_names_nothing(call, path):
    problem(call("GET", f"/api/tenant/v1/things/{path}"), 404, "resource_not_found")


def test_the_caller_is_known_before_an_id_is_looked_at(call):
    problem(call("GET", "/api/tenant/v1/things/x", token=None), 401, "authentication_failed")


def test_a_valid_body_reaches_the_view(call):
    response = call("POST", "/api/tenant/v1/things", json={"name": "a", "size": 2})

    assert response.status_code == 201
    assert response.json == {"name": "a", "size": 2}


def test_every_wrong_member_is_pointed_at(call):
    body = {"name": "A", "size": "2", "id": "x", "nam": 1, "labels": {"a b": "c"}, "parts": [{"weight": 1}, {}]}
    refused = problem(call("POST", "/api/tenant/v1/things", json=body), 422, "invalid_spec")
    found = {each["pointer"]: each["detail"] for each in refused["errors"]}

    assert found.keys() == {"/name", "/size", "/id", "/nam", "/labels/a b", "/parts/1/weight"}
    assert found["/size"] == "must be a whole number"
    assert found["/id"] == "is set by the server; leave it out"
    assert found["/nam"] == "is not known here; did you mean 'name'?"
    assert found["/parts/1/weight"] == "is required"


@pytest.mark.parametrize("body", [[], "x", 3, None, True])
def test_a_body_that_is_no_object_is_refused_as_a_whole(call, body):
    refused = problem(
        call("POST", "/api/tenant/v1/things", data=orjson.dumps(body), content_type="application/json"),
        422,
        "invalid_spec",
    )

    assert refused["errors"] == [{"pointer": "", "detail": "must be an object"}]


@pytest.mark.parametrize(
    ("data", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_json"),
        (b"\xff\xfe", "application/json", 400, "malformed_json"),
        (b"", "application/json", 400, "malformed_json"),
        (b"", None, 400, "malformed_json"),
        (b'{"name": "a"}', "text/plain", 415, "unsupported_media_type"),
        (b'{"name": "a"}', None, 415, "unsupported_media_type"),
        (b"name=a", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"[" * 40 + b"]" * 40, "application/json", 400, "json_too_deep"),
        (b'{"name": "' + b"a" * SMALL_BODY + b'"}', "application/json", 413, "body_too_large"),
        (b'{"name": "a\\u0000"}', "application/json", 422, "invalid_spec"),
        (b'{"name": "a", "name": "a"}', "application/json", 400, "malformed_json"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(call, data, content_type, status, code):
    problem(call("POST", "/api/tenant/v1/things", data=data, content_type=content_type), status, code)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("limit=x", "/limit"),
        ("limt=5", "/limt"),
        ("cursor=%00", "/cursor"),
        ("cursor=a%20b", "/cursor"),
    ],
)
def test_a_wrong_query_is_pointed_at(call, query, pointer):
    refused = problem(call("GET", f"/api/tenant/v1/things?{query}"), 422, "invalid_query")

    assert [each["pointer"] for each in refused["errors"]] == [pointer]


def test_a_query_has_its_defaults(call):
    assert call("GET", "/api/tenant/v1/things").json == {"limit": 50}


def test_a_request_id_is_echoed_and_a_forged_one_replaced(call):
    assert (
        call("GET", "/api/tenant/v1/open", headers={"X-Request-Id": "order-17"}).headers["X-Request-Id"] == "order-17"
    )
    assert call("GET", "/api/tenant/v1/open", headers={"X-Request-Id": "<b>"}).headers["X-Request-Id"] != "<b>"


def test_the_trace_of_the_caller_is_in_the_problem(call):
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    refused = problem(call("GET", "/nothing", headers={"traceparent": parent}), 404, "route_not_found")

    assert refused["trace_id"] == "0af7651916cd43dd8448eb211c80319c"


def test_a_database_that_is_away_says_when_to_come_again(call):
    response = call("GET", f"/api/tenant/v1/failures/{ANY_ID}0")

    problem(response, 503, "service_unavailable")
    assert response.headers["Retry-After"] == "4"


def test_a_full_quota_tells_its_numbers(call):
    refused = problem(call("GET", f"/api/tenant/v1/failures/{ANY_ID}1"), 409, "quota_exceeded")

    assert (refused["key"], refused["limit"], refused["used"], refused["wanted"]) == ("vcpus", 4, 4, 1)


@pytest.mark.parametrize(("digit", "code"), [("4", "malformed_request"), ("5", "http_error")])
def test_a_refusal_of_the_http_library_is_a_problem_too(call, digit, code):
    problem(call("GET", f"/api/tenant/v1/failures/{ANY_ID}{digit}"), 400, code)


def test_a_failure_of_the_http_library_is_an_internal_error(call):
    problem(call("GET", f"/api/tenant/v1/failures/{ANY_ID}6"), 500, "internal_error")


def test_an_unexpected_error_tells_nothing_of_the_inside_and_is_logged(call, caplog):
    with caplog.at_level(logging.ERROR):
        response = call("GET", f"/api/tenant/v1/failures/{ANY_ID}2")

    refused = problem(response, 500, "internal_error")
    assert b"secret of the inside" not in response.data
    assert refused["request_id"] in caplog.text
    assert "secret of the inside" in caplog.text


def test_an_object_that_the_caller_has_is_not_sent_again(call):
    path = f"/api/tenant/v1/things/{ANY_ID}7"
    first = call("GET", path)
    again = call("GET", path, headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["ETag"] == f'"{ANY_ID}7.3"'
    assert again.status_code == 304
    assert again.data == b""
    assert again.headers["ETag"] == first.headers["ETag"]
    assert call("GET", path, headers={"If-None-Match": '"other.1"'}).status_code == 200


def test_answers_carry_headers_of_safety(call):
    headers = call("GET", "/api/tenant/v1/open").headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_a_route_that_declares_nothing_stops_the_application():
    app = build()
    app._got_first_request = False

    @app.route("/silent")
    def silent():
        return Response()

    with pytest.raises(UndeclaredAccessError, match="/silent"):
        require_declarations(app)


def test_an_operation_cannot_be_written_without_access():
    with pytest.raises(TypeError, match="access"):
        Endpoint(id="x", method="GET", path="/x", summary="x", tag="x")  # type: ignore[call-arg]  # as a route that forgot it


def test_an_application_has_no_route_of_flask_itself():
    assert all(rule.endpoint != "static" for rule in build().url_map.iter_rules())
    assert isinstance(build(), Flask)
