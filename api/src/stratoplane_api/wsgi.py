# SPDX-License-Identifier: Apache-2.0
"""What a WSGI server calls: applications made of the environment's settings."""

import os
import sys
from typing import Final

from flask import Flask

from stratoplane.settings import load
from stratoplane_api.app import create_agent_app, create_app
from stratoplane_api.settings import ApiSettings
from stratoplane_engine.db.connection import Database
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS, Kinds
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.roles.logs import configure_logging
from stratoplane_engine.roles.starting import open_database

_SWITCH_SECONDS: Final = 0.0005
"""How long a thread may keep the interpreter while others wait for it.

A create holds the row of its project's quota from its writing statement to its commit. With the interpreter's own
5 ms, the thread whose answer has come waits that long behind any other before it commits, and so does everybody
behind its lock.
"""
_AGENTS_PATIENCE: Final = 60.0
"""Seconds that an agent's request waits for its turn: after a restart thousands come at once."""


def create_application() -> Flask:
    """Return the application of the public namespaces, for workers with threads.

    Raises:
        SettingsError: the environment's settings cannot be used; every problem is named.
    """
    configure_logging()
    sys.setswitchinterval(_SWITCH_SECONDS)
    settings = load(ApiSettings, {}, os.environ)
    plugins = Plugins.load(settings.plugins)
    plugins.tell()
    return create_app(_database(settings, "stratoplane-api", kinds=plugins.kinds), plugins, settings)


def create_agent_application() -> Flask:
    """Return the application of the agents' namespace, for workers that hold thousands of polls. Raises alike."""
    configure_logging()
    settings = load(ApiSettings, {}, os.environ)
    # Thousands wait for a connection rather than for ever new ones to be opened and closed.
    return create_agent_app(_database(settings, "stratoplane-agent-api", patience=_AGENTS_PATIENCE, spare=0), settings)


def _database(
    settings: ApiSettings,
    name: str,
    *,
    patience: float = 5.0,
    spare: int | None = None,
    kinds: Kinds = BUILTIN_KINDS,
) -> Database:
    """Return connections that are opened by the first request, and by none of another process."""
    database = open_database(
        lambda: Database(
            settings.database_url,
            pool_size=settings.pool_size,
            application=name,
            patience=patience,
            spare=spare,
            kinds=kinds,
        )
    )
    os.register_at_fork(after_in_child=database.forget_connections)
    return database
