# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document, served at ``/api/common/v1/openapi.json``."""

import threading
from typing import Any, Final

from flask import Flask
from flask_smorest import Api  # type: ignore[import-untyped]  # ships no annotations

from stratoplane_api import components
from stratoplane_api.routes import IdConverter, describe
from stratoplane_api.version import API_VERSION, OPENAPI_VERSION

_EXTENSION: Final = "stratoplane_openapi"
_DOCUMENT: Final = "stratoplane_openapi_document"
_LOCK: Final = "stratoplane_openapi_lock"
_DESCRIPTION: Final = (
    "Private clouds for many tenants. `/api/common/v1` serves everybody, `/api/tenant/v1` what a tenant sees and does, "
    "`/api/ops/v1` the provider's operators. Changes that take time answer 202 with a job. Errors are "
    "`application/problem+json` with a stable `code`. `x-permission` names what an operation asks of its caller."
)


def begin(app: Flask) -> Any:
    """Return the ``flask_smorest.Api`` of ``app``, to which namespaces are registered next."""
    app.url_map.converters["id"] = IdConverter
    app.config.update(API_TITLE="Stratoplane", API_VERSION=API_VERSION, OPENAPI_VERSION=OPENAPI_VERSION)
    api = Api()
    api.DEFAULT_ERROR_RESPONSE_NAME = None
    api.ERROR_SCHEMA = components.Problem
    api.init_app(
        app,
        spec_kwargs={
            "info": {"description": _DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
            "servers": [{"url": "/"}],
        },
    )
    api.register_converter(IdConverter, lambda _converter: {"type": "string", "format": "uuid"})
    components.register(api.spec)
    app.extensions[_EXTENSION] = api.spec
    app.extensions[_LOCK] = threading.Lock()
    return api


def document(app: Flask) -> dict[str, Any]:
    """Return the document of everything that ``app`` serves; the first call makes it."""
    kept: dict[str, Any] | None = app.extensions.get(_DOCUMENT)
    return _describe(app) if kept is None else kept


def _describe(app: Flask) -> dict[str, Any]:
    # Operations can be described once only: others who ask meanwhile wait for what the first one makes.
    # The names of kinds that it lists are those that the application knows.
    with app.extensions[_LOCK], app.app_context():
        if _DOCUMENT not in app.extensions:
            describe(app)
            described: dict[str, Any] = app.extensions[_EXTENSION].to_dict()
            # flask-smorest describes its own pagination header whether it is used or not.
            described["components"]["schemas"].pop("PaginationMetadata", None)
            app.extensions[_DOCUMENT] = described
        made: dict[str, Any] = app.extensions[_DOCUMENT]
    return made
