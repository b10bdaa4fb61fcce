# SPDX-License-Identifier: Apache-2.0
"""What the views of one application share, and the context in which a view calls a service."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flask import Flask, current_app, g, request

from stratoplane_api import cursors, etag, idempotency, labels, prefer
from stratoplane_api.counters import Counters
from stratoplane_api.draining import Draining
from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.login_throttle import LoginThrottle
from stratoplane_api.readiness import Readiness
from stratoplane_api.tracing import Trace
from stratoplane_api.wait_slots import WaitSlots
from stratoplane_engine.access.context import AccountLimits, Actor, RequestContext
from stratoplane_engine.db.connection import Database
from stratoplane_engine.model.change import IdempotencyKey
from stratoplane_engine.model.listing import Page
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services.credentials import PasswordHasher

_EXTENSION: Final = "stratoplane"


@dataclass(frozen=True, kw_only=True, slots=True)
class Gateway:
    """The parts that an application was made of.

    Attributes:
        counters: where requests are counted; None when there is no Redis to count in.
        throttle: slows down guesses of passwords; None alike.
        passwords: hashes and checks the passwords of users.
        wait_slots: for requests that are held until a job ends.
        account_limits: how many projects, users, role bindings and tokens there may be.
        readiness: what load balancers are told.
        draining: ends the wait of held requests when the process is about to stop.
        certificate_pin: fingerprint of the certificate that agents see, for join tokens; empty for none.
    """

    database: Database
    plugins: Plugins
    counters: Counters | None
    throttle: LoginThrottle | None
    passwords: PasswordHasher
    wait_slots: WaitSlots
    certificate_pin: str
    account_limits: AccountLimits
    readiness: Readiness
    draining: Draining


def install(app: Flask, gateway: Gateway) -> None:
    """Let the views of ``app`` use ``gateway``."""
    app.extensions[_EXTENSION] = gateway


def gateway() -> Gateway:
    """Return the parts of the current application."""
    found: Gateway = current_app.extensions[_EXTENSION]
    return found


def database() -> Database:
    """Return the connections that services work with."""
    return gateway().database


def plugins() -> Plugins:
    """Return the plugins that services ask."""
    return gateway().plugins


def actor() -> Actor:
    """Return who asks; only for operations that are not public."""
    found: Actor = g.actor
    return found


def context(organization_id: UUID | None = None) -> RequestContext:
    """Return the context of the present request for a service.

    Args:
        organization_id: the organization that is acted in; the actor's own when it is not said.
    """
    trace: Trace = g.trace
    return RequestContext(
        actor=actor(),
        organization_id=organization_id or actor().organization_id,
        request_id=trace.request_id,
        trace_parent=trace.parent,
        idempotency=_idempotency(),
        if_version=_if_version(),
        dry_run=dry_run(),
        limits=gateway().account_limits,
    )


def page() -> Page:
    """Return the part of a list that the query string asks for."""
    query = g.query
    selector = labels.read_selector(query.get("labels", ""))
    return Page(
        limit=query["limit"],
        cursor=cursors.unmark(query.get("cursor", "")),
        sort=query.get("sort", "created_at"),
        status=query.get("status", ""),
        name_contains=query.get("name_contains", ""),
        labels=selector.equal,
        excluded=selector.unequal,
    )


def dry_run() -> bool:
    """Tell whether the caller asks what would be, and wants nothing kept."""
    return bool(g.query.get("dry_run", False))


def preferred_wait() -> float:
    """Return the seconds that the caller would like to wait for the job."""
    return prefer.read_wait(request.headers.get(prefer.PREFER_HEADER, ""))


def _idempotency() -> IdempotencyKey | None:
    endpoint: Endpoint = g.endpoint
    key = idempotency.read_key(request.headers.get(idempotency.IDEMPOTENCY_HEADER))
    if key is None or Feature.IDEMPOTENT not in endpoint.features:
        return None
    target = request.full_path
    return IdempotencyKey(key=key, fingerprint=idempotency.fingerprint(request.method, target, g.get("body")))


def _if_version() -> int | None:
    endpoint: Endpoint = g.endpoint
    if Feature.VERSIONED not in endpoint.features or not endpoint.changes or not request.view_args:
        return None
    identity = list(request.view_args.values())[-1]
    return etag.expected_version(request.headers.get("If-Match"), str(identity).lower())
