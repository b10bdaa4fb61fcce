# SPDX-License-Identifier: Apache-2.0
"""``python -m stratoplane_server.preparation``: what must be done before the roles start.

It waits for PostgreSQL, brings the schema to this version, and makes what a first start needs: roles, flavors, an
administrator. It is a process of its own so that the supervisor stays small.
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
# What a first start offers to boot from; other drivers' images are files that the operator provides.
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
        _say_whether_valkey_answers(settings.redis_url)
        _first_start(settings)
    except StratoplaneError as error:
        _log.error("%s", error.detail)  # the text says it all
        return 1
    return 0


def _migrate(url: str) -> None:
    """Bring the schema to this version; wait for PostgreSQL as long as it takes, and say so once for each reason."""
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
            _log.info("the database's schema is at revision %s", revision)
            return


def _say_whether_valkey_answers(url: str) -> None:
    """Nothing waits for Valkey: without it jobs start with a delay, and everything else works."""
    found = health.valkey(url)
    if not found.healthy:
        _log.warning("Valkey at %s %s; going on, jobs start with a delay until it does", found.address, found.detail)


def _first_start(settings: ServerSettings) -> None:
    """Make what a first start needs, all of it only where it is missing."""
    folder = StateFolder(path=settings.state)
    database = Database(settings.database_url, pool_size=1, application="stratoplane-prepare")
    try:
        bootstrap.bootstrap(database, _IMAGES.get(settings.driver, ()))
        _ensure_administrator(database, folder, settings)
        _forget_foreign_credential(database, folder.agent(settings.driver).credential)
    finally:
        database.close()


def _ensure_administrator(database: Database, folder: StateFolder, settings: ServerSettings) -> None:
    """Make the first administrator and keep the password where only the operator reads it."""
    kept = read_credentials(folder.credentials)
    chosen = kept or Credentials(username=ADMINISTRATOR, password=credentials.new_password())
    # Written first: a password that nobody can read any more would be worse than one that opens nothing.
    write_private(folder.credentials, {**asdict(chosen), "url": settings.api_url})
    try:
        bootstrap.create_administrator(database, credentials.PasswordHasher(), chosen.username, chosen.password)
    except NameTakenError:
        if kept is None:
            folder.credentials.unlink()
            _log.info("the user %s exists; its password was never in %s", ADMINISTRATOR, folder.path)
    else:
        _log.info("made the administrator %s; the password is in %s", chosen.username, folder.credentials)


def _forget_foreign_credential(database: Database, credential: Path) -> None:
    """Let the local agent enrol again when its credential is from another database, such as one that was replaced."""
    try:
        kept = json.loads(credential.read_text(encoding="utf-8"))
        known = enrolment.is_known(database, UUID(kept["agent_id"]), int(kept["generation"]), str(kept["key"]))
    except FileNotFoundError:
        return
    except (KeyError, TypeError, ValueError):
        known = False
    if not known:
        credential.replace(credential.with_suffix(".refused"))
        _log.warning("the local agent's credential is not of this database; the agent enrols again")


if __name__ == "__main__":
    sys.exit(main())
