# SPDX-License-Identifier: Apache-2.0
"""A namespace of operations on flask-smorest: declares each once, for Flask, for the checks and for the document."""

from collections.abc import Callable, Mapping
from functools import partial, wraps
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from apispec import APISpec
from flask import Flask, Response, g, request
from flask_smorest import Blueprint  # type: ignore[import-untyped]  # ships no annotations
from werkzeug.routing import BaseConverter

from stratoplane.errors import ResourceNotFoundError
from stratoplane_api.components import FAILURES
from stratoplane_api.endpoints import Endpoint, Feature, Gate
from stratoplane_api.reading import PARSER, read_query
from stratoplane_api.schemas.queries import defaults

View = Callable[..., Response]

_REGISTRY: Final = "stratoplane_operations"
_UNDESCRIBED: Final = "stratoplane_undescribed_operations"


class UndeclaredAccessError(TypeError):
    """A route does not say who may call it; its author declares a permission or a gate."""


class IdConverter(BaseConverter):
    """A path segment that must be an id. What is none names nothing: 404, after the caller is known."""

    regex = "[^/]{1,64}"


class _Blueprint(Blueprint):  # type: ignore[misc]  # flask-smorest ships no annotations
    """Describes its operations when somebody asks for the document: that takes longer than the rest of a start."""

    def register_views_in_doc(self, api: Any, app: Flask, spec: APISpec, **named: Any) -> None:
        later: list[Callable[[], None]] = app.extensions.setdefault(_UNDESCRIBED, [])
        later.append(partial(super().register_views_in_doc, api, app, spec, **named))


class Routes:
    """The operations below one prefix."""

    def __init__(self, name: str, prefix: str, description: str) -> None:
        """Begin an empty namespace.

        Args:
            name: of the namespace, as ``tenant``.
            prefix: of every path, as ``/api/tenant/v1``.
            description: one line for the document.
        """
        self.name: Final = name
        self.prefix: Final = prefix
        self._endpoints: dict[str, Endpoint] = {}
        self._blueprint = _Blueprint(name, __name__, url_prefix=prefix, description=description)
        self._blueprint.ARGUMENTS_PARSER = PARSER

    def add(self, endpoint: Endpoint) -> Callable[[View], View]:
        """Return a decorator that serves ``operation`` by a view.

        The view gets the path's ids as ``UUID`` by name and, if the operation takes one, the checked ``body``.
        """

        def decorate(view: View) -> View:
            self._serve(endpoint, view)
            return view

        return decorate

    def register(self, app: Flask, api: Any) -> None:
        """Serve the namespace in ``app`` and describe it in the document of ``api`` (a ``flask_smorest.Api``)."""
        api.register_blueprint(self._blueprint)
        registry: dict[str, Endpoint] = app.extensions.setdefault(_REGISTRY, {})
        registry.update(self._endpoints)

    def _serve(self, endpoint: Endpoint, view: View) -> None:
        documented = view
        if endpoint.body is not None:
            documented = self._blueprint.arguments(
                endpoint.body(), location="json", arg_name="body", example=endpoint.body_example
            )(documented)
        documented = _bind(endpoint, documented)
        documented = self._document_answers(endpoint, documented)
        documented = self._blueprint.doc(**_documentation(endpoint))(documented)
        self._blueprint.route(endpoint.path, methods=[endpoint.method], endpoint=endpoint.id, tags=[endpoint.tag])(
            documented
        )
        self._endpoints[f"{self.name}.{endpoint.id}"] = endpoint

    def _document_answers(self, endpoint: Endpoint, view: View) -> View:
        """Name every ordinary answer: the usual one, and 200 to a dry run or to a change that leaves nothing to do."""
        at_once = [endpoint.plan] if endpoint.plan is not None else []
        if endpoint.answer is not None and (endpoint.success == HTTPStatus.OK or endpoint.method == "PATCH"):
            at_once.append(endpoint.answer)
        if endpoint.plan is not None:
            schema = {"anyOf": at_once} if len(at_once) > 1 else at_once[0]
            words = "Unchanged, or the result of a dry run" if len(at_once) > 1 else "The result of a dry run"
            usual = endpoint.success == HTTPStatus.OK
            example = endpoint.example if usual else None
            # A dry run names no job to look at.
            absent = () if usual else ("Location", "Preference-Applied")
            headers = {name: value for name, value in _headers(endpoint).items() if name not in absent}
            view = self._blueprint.alt_response(
                200, schema=schema, description=words, example=example, headers=headers
            )(view)
            if usual:
                return view
        if Feature.VERSIONED in endpoint.features and not endpoint.changes:
            view = self._blueprint.alt_response(304, description="Not modified")(view)
        documented: View = self._blueprint.response(
            endpoint.success, endpoint.answer, example=endpoint.example, headers=_headers(endpoint)
        )(view)
        return documented


def current_endpoint(app: Flask) -> Endpoint | None:
    """Return the operation that the present request asks for, None when the path or method has none."""
    return endpoints_of(app).get(request.endpoint or "")


def endpoints_of(app: Flask) -> Mapping[str, Endpoint]:
    """Return every operation of ``app`` by its endpoint."""
    registry: Mapping[str, Endpoint] = app.extensions[_REGISTRY]
    return registry


def describe(app: Flask) -> None:
    """Put every operation of ``app`` into its document."""
    for described in app.extensions.pop(_UNDESCRIBED, ()):
        described()


def require_declarations(app: Flask) -> None:
    """Refuse an application with a route that does not declare its access.

    Raises:
        UndeclaredAccessError: naming every such route.
    """
    declared = endpoints_of(app)
    silent = sorted(str(rule) for rule in app.url_map.iter_rules() if rule.endpoint not in declared)
    if silent:
        raise UndeclaredAccessError(f"declare a permission or a gate for {', '.join(silent)}")


def _bind(endpoint: Endpoint, view: View) -> View:
    query = endpoint.query()
    unasked = defaults(query)

    @wraps(view)
    def call(**segments: str) -> Response:
        identifiers = {name: _identifier(segment) for name, segment in segments.items()}
        g.query = read_query(request.query_string, query) if request.query_string else unasked
        return view(**identifiers)

    return call


def _identifier(text: str) -> UUID:
    try:
        found = UUID(text)
    except ValueError as error:
        raise ResourceNotFoundError(f"{text!r} is not a valid id; ids are UUIDs, and lists show them") from error
    if str(found) != text.lower():
        raise ResourceNotFoundError(f"{text!r} is not a valid id; ids are UUIDs with hyphens")
    return found


def _documentation(endpoint: Endpoint) -> dict[str, Any]:
    access = endpoint.permission
    return {
        "operationId": endpoint.id,
        "summary": endpoint.summary,
        "description": endpoint.description or endpoint.summary,
        "parameters": _parameters(endpoint),
        "responses": {status: FAILURES[status] for status in _failures(endpoint)},
        "security": [] if endpoint.access is Gate.PUBLIC else [{"bearer": []}],
        "x-permission": str(endpoint.access if access is None else access),
    }


def _parameters(endpoint: Endpoint) -> list[Any]:
    found: list[Any] = ["RequestId", "TraceParent"]
    if Feature.IDEMPOTENT in endpoint.features:
        found.append("IdempotencyKey")
    if Feature.VERSIONED in endpoint.features:
        found.append("IfMatch" if endpoint.changes else "IfNoneMatch")
    if Feature.DEFERRED in endpoint.features:
        found.append("Prefer")
    if endpoint.query().fields:
        found.append({"in": "query", "schema": endpoint.query()})
    return found


def _failures(endpoint: Endpoint) -> list[int]:
    statuses = {422, 429, 500, 503, *endpoint.errors}
    if endpoint.access is not Gate.PUBLIC:
        statuses |= {401, 403}
    if "<" in endpoint.path:
        statuses.add(404)
    if endpoint.body is not None:
        statuses |= {400, 413, 415}
    if Feature.IDEMPOTENT in endpoint.features:
        statuses |= {400, 409}
    if Feature.VERSIONED in endpoint.features and endpoint.changes:
        statuses |= {400, 409, 412}
    return sorted(statuses)


def _headers(endpoint: Endpoint) -> dict[str, Any]:
    names = ["X-Request-Id", "RateLimit", "RateLimit-Policy"]
    if (
        Feature.VERSIONED in endpoint.features
        and endpoint.answer is not None
        and endpoint.success != HTTPStatus.ACCEPTED
    ):
        names.append("ETag")
    if Feature.DEFERRED in endpoint.features:
        names += ["Location", "Preference-Applied"]
    if Feature.PAGED in endpoint.features:
        names.append("Link")
    if Feature.IDEMPOTENT in endpoint.features:
        names.append("Idempotency-Replayed")
    return {name: name.replace("-", "") for name in names}
