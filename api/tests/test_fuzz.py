# SPDX-License-Identifier: Apache-2.0
"""Requests that nobody thought of, made from the document: none may break the gateway or what it promises."""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi import checks

from stratoplane_api.app import create_documented_app

EXAMPLES = 15
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]
# It would end the token that the other requests show.
LEFT_OUT = ["log_out"]


# Every combination of boundary values takes a minute of a processor and found nothing more than random requests do.
CONFIG = schemathesis.Config.from_dict({"phases": {"coverage": {"enabled": False}}})
SCHEMA = schemathesis.openapi.from_wsgi("/api/common/v1/openapi.json", create_documented_app(), config=CONFIG).exclude(
    operation_id=LEFT_OUT
)


@pytest.fixture(scope="module")
def callers(make_tenant, operator, cluster):
    tenant = make_tenant()
    return {"tenant": tenant.admin.token, "ops": operator.token, "common": tenant.admin.token}, tenant.project_id


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[*HealthCheck],
)
def test_no_request_breaks_a_promise(case, app, callers):
    # Made without a database, when tests are collected; the requests go to the application that has one.
    case.operation.app = app
    tokens, project_id = callers
    if "project_id" in case.path_parameters and case.meta is not None and case.meta.generation.mode.is_positive:
        case.path_parameters["project_id"] = project_id
    token = tokens[case.operation.path.split("/")[2]]

    case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)
