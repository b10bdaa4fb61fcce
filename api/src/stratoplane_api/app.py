# SPDX-License-Identifier: Apache-2.0
"""The composition root: applications made of namespaces, the engine's services and what every request shares."""

from collections.abc import Callable

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from stratoplane_api import admission, agent_gateway, draining, gateway
from stratoplane_api.assembly import assemble
from stratoplane_api.authentication import by_signature, by_token, forget_after_changes, while_listening
from stratoplane_api.counters import Counters
from stratoplane_api.draining import Draining
from stratoplane_api.listener import Listener
from stratoplane_api.login_throttle import LoginThrottle
from stratoplane_api.poll_fallback import PollFallback
from stratoplane_api.polls import Polls
from stratoplane_api.ratelimit import Limit, RateLimiter
from stratoplane_api.readiness import Readiness
from stratoplane_api.settings import ApiSettings
from stratoplane_api.views import agents, everybody, ops, plugin_kinds, tenant
from stratoplane_api.wait_slots import WaitSlots
from stratoplane_api.waiter_registry import WaiterRegistry
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.identity import IDENTITY_CHANNEL
from stratoplane_engine.db.operations import OPERATION_CHANNEL
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services.authentication import Authenticator
from stratoplane_engine.services.credentials import PasswordHasher

_MINUTE = 60


def create_app(database: Database, plugins: Plugins, settings: ApiSettings) -> Flask:
    """Return the application of the three public namespaces.

    Kinds of resources that plugins add get operations of their own.

    Raises:
        UndeclaredAccessError: a route does not say who may call it.
    """
    authenticator = Authenticator(database, longest=settings.token_cache_seconds)
    listener = Listener(database, IDENTITY_CHANNEL, authenticator.hear)
    counters = Counters(settings.redis_url) if settings.redis_url else None
    rules = _rules(settings, counters, by_token(while_listening(authenticator, listener)))
    added = [kind for kind in plugins.kinds.values() if kind.name not in BUILTIN_KINDS]
    namespaces = (everybody.ROUTES, tenant.ROUTES, ops.ROUTES, *((plugin_kinds.routes_for(added),) if added else ()))
    app = assemble(namespaces, rules, plugins.kinds)
    drain = Draining()
    parts = gateway.Gateway(
        database=database,
        plugins=plugins,
        counters=counters,
        throttle=None if counters is None else LoginThrottle(counters, settings.login_bounds),
        passwords=PasswordHasher(settings.password_cost),
        wait_slots=WaitSlots(settings.waiting_requests),
        certificate_pin=settings.agent_certificate_pin,
        account_limits=settings.account_limits,
        readiness=Readiness(database, settings.drain_file, drain),
        draining=drain,
    )
    gateway.install(app, parts)
    draining.install(app, drain)
    forget_after_changes(app, authenticator)
    _believe_proxies(app, settings)
    return app


def create_agent_app(database: Database, settings: ApiSettings) -> Flask:
    """Return the application of the agents' namespace. Raises as :func:`create_app`."""
    counters = Counters(settings.redis_url) if settings.redis_url else None
    app = assemble((agents.ROUTES,), _rules(settings, counters, by_signature(database)))
    waiters = WaiterRegistry()
    drain = Draining(waiters.wake_all)
    parts = agent_gateway.AgentGateway(
        database=database,
        waiters=waiters,
        listener=Listener(database, OPERATION_CHANNEL, waiters.hear),
        poll_fallback=PollFallback(database, waiters),
        polls=Polls(settings.agent_polls, waiters),
        key=agent_gateway.ServerKey(database),
        inventory_seconds=settings.inventory_seconds,
        readiness=Readiness(database, settings.drain_file, drain),
        draining=drain,
    )
    agent_gateway.install(app, parts)
    draining.install(app, drain)
    _believe_proxies(app, settings)
    return app


def create_documented_app() -> Flask:
    """Return the application of the public namespaces for its document alone: it connects to nothing."""
    nowhere = "postgresql://nowhere/none"
    return create_app(Database(nowhere), Plugins.load(()), ApiSettings(database_url=nowhere))


def _believe_proxies(app: Flask, settings: ApiSettings) -> None:
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies)  # type: ignore[method-assign]


def _rules(settings: ApiSettings, counters: Counters | None, authenticate: Callable[[], object]) -> admission.Admission:
    return admission.Admission(
        authenticate=authenticate,
        limiter=None if counters is None else RateLimiter(counters),
        limit=Limit(
            name="requests",
            requests=settings.rate_requests,
            seconds=settings.rate_seconds,
            whose=" by one user (all tokens together), agent or address",
        ),
        refusal_limit=Limit(
            name="refusals",
            requests=settings.address_refusals,
            seconds=_MINUTE,
            whose=" whose credential opens nothing, from one address",
        ),
    )
