# SPDX-License-Identifier: Apache-2.0
"""How an application is put together, whichever namespaces it serves."""

from collections.abc import Sequence

from flask import Flask

from stratoplane_api import access_log, admission, openapi, problems
from stratoplane_api.json_body import OrjsonProvider
from stratoplane_api.routes import Routes, require_declarations


def assemble(namespaces: Sequence[Routes], rules: admission.Admission) -> Flask:
    """Return an application of ``namespaces`` whose requests pass by ``rules``.

    Raises:
        UndeclaredAccessError: a route does not say who may call it.
    """
    app = Flask("stratoplane_api", static_folder=None)
    app.json = OrjsonProvider(app)
    app.url_map.merge_slashes = False
    api = openapi.begin(app)
    for namespace in namespaces:
        namespace.register(app, api)
    require_declarations(app)
    problems.register(app)
    access_log.register(app)
    admission.register(app, rules)
    return app
