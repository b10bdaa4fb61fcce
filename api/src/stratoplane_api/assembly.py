# SPDX-License-Identifier: Apache-2.0
"""How an application is put together, whichever namespaces it serves."""

from collections.abc import Sequence

from flask import Flask

from stratoplane_api import access_log, admission, openapi, problems
from stratoplane_api.json_body import OrjsonProvider
from stratoplane_api.routes import Routes, require_declarations
from stratoplane_api.schemas.known_kinds import KINDS
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS, Kinds


def assemble(namespaces: Sequence[Routes], rules: admission.Admission, kinds: Kinds = BUILTIN_KINDS) -> Flask:
    """Return an application of ``namespaces`` whose requests pass by ``rules``; it knows the ``kinds`` of resources.

    Raises:
        UndeclaredAccessError: a route does not say who may call it.
    """
    app = Flask("stratoplane_api", static_folder=None)
    app.json = OrjsonProvider(app)
    app.url_map.merge_slashes = False
    app.config[KINDS] = kinds
    api = openapi.begin(app)
    for namespace in namespaces:
        namespace.register(app, api)
    require_declarations(app)
    problems.register(app)
    access_log.register(app)
    admission.register(app, rules)
    return app
