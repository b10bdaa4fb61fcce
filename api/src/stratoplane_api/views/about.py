# SPDX-License-Identifier: Apache-2.0
"""What the platform says about itself to anybody: version, health, the OpenAPI document."""

from typing import Final

from flask import Response, current_app

from stratoplane_api import answers, openapi
from stratoplane_api.declarations import live, ready
from stratoplane_api.endpoints import Endpoint, Gate
from stratoplane_api.gateway import database, gateway
from stratoplane_api.namespaces import COMMON
from stratoplane_api.schemas.about import Document, Health, Version
from stratoplane_api.version import API_VERSION, installed_version
from stratoplane_engine.services import health

_TAG: Final = "Platform"


@COMMON.add(
    Endpoint(
        id="get_version",
        method="GET",
        path="/version",
        access=Gate.PUBLIC,
        summary="Show the platform's version",
        tag=_TAG,
        answer=Version,
        example={"version": "0.1.0", "api": "v1"},
    )
)
def get_version() -> Response:
    return answers.content({"version": installed_version(), "api": API_VERSION})


@COMMON.add(
    Endpoint(
        id="get_health",
        method="GET",
        path="/health",
        access=Gate.PUBLIC,
        summary="Tell whether requests can be served",
        description="503 when the database does not answer or cannot write. `degraded` when only rate limits are off.",
        tag=_TAG,
        answer=Health,
        example={
            "status": "ok",
            "checks": [
                {"name": "database", "status": "ok", "detail": ""},
                {"name": "rate-limits", "status": "ok", "detail": ""},
            ],
        },
    )
)
def get_health() -> Response:
    health.check_database(database())
    checks = [{"name": "database", "status": "ok", "detail": ""}]
    problem = _rate_limits_problem()
    checks.append({"name": "rate-limits", "status": "failed" if problem else "ok", "detail": problem or ""})
    return answers.content({"status": "degraded" if problem else "ok", "checks": checks})


@COMMON.add(live("get_live", _TAG))
def get_live() -> Response:
    return answers.content({"status": "ok"})


@COMMON.add(ready("get_ready", _TAG))
def get_ready() -> Response:
    gateway().readiness.require()
    return answers.content({"status": "ok"})


def _rate_limits_problem() -> str | None:
    counters = gateway().counters
    return None if counters is None else counters.problem()


@COMMON.add(
    Endpoint(
        id="get_openapi",
        method="GET",
        path="/openapi.json",
        access=Gate.PUBLIC,
        summary="Show this document",
        tag=_TAG,
        answer=Document,
    )
)
def get_openapi() -> Response:
    return answers.content(openapi.document(current_app))
