# SPDX-License-Identifier: Apache-2.0
"""Requests that nobody thought of, made from the document: none may break the gateway or what it promises."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from api.tests.documented import documented_app

EXAMPLES = max(3, settings().max_examples // 30)  # for each of many operations
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]
# Made without a database, when tests are collected; the requests go to the application that has one. Ending the token
# that the other requests show is left out.
SCHEMA = schemathesis.openapi.from_wsgi("/api/common/v1/openapi.json", documented_app()).exclude(operation_id="log_out")


def readable(found):
    """Return the operation that was found in the document."""
    assert isinstance(found, Ok), found.err()
    return found.ok()


OPERATIONS = [readable(found) for found in SCHEMA.get_all_operations()]
MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]


def breakable(operation):
    """Tell whether a request can be wrong at all: those without a credential, a body and parameters cannot."""
    raw = operation.definition.raw
    return bool(raw["security"]) or "requestBody" in raw


CASES = [
    pytest.param(operation, mode, id=f"{operation.definition.raw['operationId']}-{mode.value}")
    for operation in OPERATIONS
    for mode in MODES
    if mode.is_positive or breakable(operation)
]


@pytest.fixture(scope="module")
def callers(make_tenant, operator, cluster):
    tenant = make_tenant()
    return {"tenant": tenant.admin.token, "ops": operator.token, "common": tenant.admin.token}, tenant.project_id


@pytest.mark.hypothesis
@pytest.mark.parametrize(("operation", "mode"), CASES)
def test_no_request_breaks_a_promise(operation, mode, app, callers, cluster):
    tokens, project_id = callers
    token = tokens[operation.path.split("/")[2]]
    operation.app = app
    # The cluster takes new resources while its agent is heard.
    cluster.offers()

    @settings(max_examples=EXAMPLES, suppress_health_check=[*HealthCheck])
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case):
        if mode.is_positive and "project_id" in case.path_parameters:
            case.path_parameters["project_id"] = project_id
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)

    send()
