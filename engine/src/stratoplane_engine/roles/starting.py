# SPDX-License-Identifier: Apache-2.0
"""How a role comes to its database, or says in one line why it does not start."""

import logging
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Final, NoReturn

from stratoplane.errors import SettingsError, UnavailableError
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.schema import schema_problem, wanted_revision

REFUSED: Final = 3
"""The code that a role ends with that cannot start; gunicorn ends with it too, instead of trying again at once."""
_log: Final = logging.getLogger(__name__)


def open_database(make: Callable[[], Database]) -> Database:
    """Return what ``make`` returns; end the program if its URL or its schema is of no use.

    The role waits for a database that does not answer yet, as for one that went away.
    """
    try:
        database = make()
    except SettingsError as error:
        _refuse(error.detail)
    # By a connection that ends here: a server may fork afterwards.
    with closing(Database(database.url, pool_size=1, application="stratoplane-start")) as looking:
        try:
            problem = schema_problem(looking, wanted_revision())
        except UnavailableError as error:
            _log.warning("%s", error.detail)
            problem = ""
    if problem:
        _refuse(problem)
    return database


def _refuse(problem: str) -> NoReturn:
    _log.critical("%s", problem)
    sys.exit(REFUSED)
