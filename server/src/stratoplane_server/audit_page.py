# SPDX-License-Identifier: Apache-2.0
"""``audit verify``: the result of checking the audit trail against its seals."""

import dataclasses
import json

from stratoplane.errors import InvalidSpecError
from stratoplane_engine.audit_trail.checkpoint import NoCheckpointError
from stratoplane_engine.audit_trail.verify import Verdict, verify
from stratoplane_engine.db import migrate
from stratoplane_engine.db.connection import Database
from stratoplane_server.databases import NoDatabaseError
from stratoplane_server.tables import render


def gather(url: str, *, kept: str | None) -> Verdict:
    """Check the trail of the database at ``url``.

    Args:
        kept: a checkpoint that was stored elsewhere, as its note.

    Raises:
        InvalidSpecError: ``kept`` is not a checkpoint of this installation.
        NoDatabaseError: the schema is of another version; migrate first.
        UnavailableError: the database does not answer.
    """
    database = Database(url, pool_size=1, application="stratoplane-server")
    try:
        if migrate.current_revision(database) != migrate.newest_revision():
            raise NoDatabaseError("the database schema is of another version; run stratoplane-server migrate first")
        return verify(database, kept=kept)
    except NoCheckpointError as error:
        raise InvalidSpecError(f"the checkpoint cannot be used: {error}") from error
    finally:
        database.close()


def as_json(verdict: Verdict) -> str:
    """Return the verdict as JSON."""
    return json.dumps(dataclasses.asdict(verdict), indent=2, default=str)


def as_text(verdict: Verdict) -> str:
    """Return the verdict for people: the problems, and one line with what was checked."""
    checked = f"{verdict.events} sealed events, {verdict.checkpoints} checkpoints, root {verdict.root}"
    if not verdict.findings:
        return f"intact: {checked}"
    rows = [
        ("-" if each.position is None else str(each.position), str(each.event_id or "-"), each.problem)
        for each in verdict.findings
    ]
    return f"{render(('POSITION', 'EVENT', 'PROBLEM'), rows)}\n\nnot intact: {checked}"
