# SPDX-License-Identifier: Apache-2.0
"""``python -m stratoplane_server.preparation``: what must be done before the roles start.

It waits for PostgreSQL, migrates the schema, and creates what a first start needs: roles, flavors, an administrator.
It is a separate process so that the supervisor stays small.
"""

import json
import logging
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final
from uuid import UUID

from stratoplane.errors import NameTakenError, StratoplaneError, UnavailableError
from stratoplane_engine.db import migrate
from stratoplane_engine.db.connection import Database
from stratoplane_engine.model.catalogue import ImageDraft
from stratoplane_engine.services import bootstrap, credentials, enrolment
from stratoplane_server import health
from stratoplane_server import settings as server_settings
from stratoplane_server.addresses import describe_url
from stratoplane_server.settings import ServerSettings
from stratoplane_server.state import Credentials, StateFolder, read_credentials, write_private

ADMINISTRATOR: Final = "admin"
# The image of a first start; other drivers need images from the operator.
_IMAGES: Final = {
    "mock": (ImageDraft(name="mock-linux", source="mock-linux.qcow2", description="an image that boots nothing"),)
}
_PAUSE_SECONDS: Final = 1.0
_SUBJECT: Final = "the database "
_log: Final = logging.getLogger(__name__)


def main() -> int:
    """Prepare everything and return the process's exit code."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    settings = server_settings.read().server
    try:
        _migrate(settings.database_url)
        _check_valkey(settings.redis_url)
        _first_start(settings)
    except StratoplaneError as error:
        _log.error("%s", error.detail)  # the text says it all
        return 1
    return 0


def _migrate(url: str) -> None:
    """Migrate the schema; wait for PostgreSQL as long as necessary, and log each reason once."""
    said = ""
    while True:
        try:
            revision = migrate.upgrade(url)
        except UnavailableError as error:
            if error.detail != said:
                _log.warning("PostgreSQL at %s %s; waiting", describe_url(url), error.detail.removeprefix(_SUBJECT))
                said = error.detail
            time.sleep(_PAUSE_SECONDS)
        else:
            _log.info("the database schema is at revision %s", revision)
            return


def _check_valkey(url: str) -> None:
    """Warn if Valkey does not answer: jobs start with a delay then, and everything else works."""
    found = health.valkey(url)
    if not found.healthy:
        _log.warning("Valkey at %s %s; continuing, jobs start with a delay until it does", found.address, found.detail)


def _first_start(settings: ServerSettings) -> None:
    """Create what a first start needs and is missing."""
    folder = StateFolder(path=settings.state)
    database = Database(settings.database_url, pool_size=1, application="stratoplane-prepare")
    try:
        bootstrap.bootstrap(database, _IMAGES.get(settings.driver, ()))
        _ensure_administrator(database, folder, settings)
        _forget_foreign_credential(database, folder.agent(settings.driver).credential)
    finally:
        database.close()


def _ensure_administrator(database: Database, folder: StateFolder, settings: ServerSettings) -> None:
    """Create the first administrator and store the password where only the operator can read it."""
    kept = read_credentials(folder.credentials)
    chosen = kept or Credentials(username=ADMINISTRATOR, password=credentials.new_password())
    # Written first: a lost password would be worse than one without its user.
    write_private(folder.credentials, {**asdict(chosen), "url": settings.api_url})
    try:
        bootstrap.create_administrator(database, credentials.PasswordHasher(), chosen.username, chosen.password)
    except NameTakenError:
        if kept is None:
            folder.credentials.unlink()
            _log.info("the user %s exists; its password was never in %s", ADMINISTRATOR, folder.path)
    else:
        _log.info("created the administrator %s; the password is in %s", chosen.username, folder.credentials)


def _forget_foreign_credential(database: Database, credential: Path) -> None:
    """Let the local agent enrol again if its credential is from another database, such as a replaced one."""
    try:
        kept = json.loads(credential.read_text(encoding="utf-8"))
        known = enrolment.is_known(database, UUID(kept["agent_id"]), int(kept["generation"]), str(kept["key"]))
    except FileNotFoundError:
        return
    except (KeyError, TypeError, ValueError):
        known = False
    if not known:
        credential.replace(credential.with_suffix(".refused"))
        _log.warning("the local agent's credential belongs to another database; the agent enrols again")


if __name__ == "__main__":
    sys.exit(main())
