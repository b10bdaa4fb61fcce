# SPDX-License-Identifier: Apache-2.0
"""The composition root: applications made of namespaces, services and the concerns that every request shares."""

from collections.abc import Iterable

from flask import Flask, Response

from stratoplane_api import admission, openapi, problems
from stratoplane_api.gateway import Gateway, install
from stratoplane_api.json_body import OrjsonProvider
from stratoplane_api.routes import Routes, require_declarations
from stratoplane_api.views import common, operations, tenant


def create_app(gateway: Gateway, authenticate: admission.Authenticate) -> Flask:
    """Return the application of the three public namespaces.

    Raises:
        UndeclaredAccessError: a route does not say who may call it.
    """
    app = _assemble((common.ROUTES, tenant.ROUTES, operations.ROUTES), authenticate)
    install(app, gateway)
    return app


def _assemble(namespaces: Iterable[Routes], authenticate: admission.Authenticate) -> Flask:
    app = Flask("stratoplane_api", static_folder=None)
    app.json = OrjsonProvider(app)
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    api = openapi.begin(app)
    for namespace in namespaces:
        namespace.register(app, api)
    require_declarations(app)
    problems.register(app)
    admission.register(app, authenticate)
    return app
