# SPDX-License-Identifier: Apache-2.0
"""``audit verify``: what the check of the audit trail against its seals came to."""

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
        kept: a checkpoint that was kept elsewhere, as its note.

    Raises:
        InvalidSpecError: ``kept`` is no checkpoint of this installation.
        NoDatabaseError: the schema is not of this version; migrate first.
        UnavailableError: the database does not answer.
    """
    database = Database(url, pool_size=1, application="stratoplane-server")
    try:
        if migrate.current_revision(database) != migrate.newest_revision():
            raise NoDatabaseError("the database's schema is not of this version; run stratoplane-server migrate first")
        return verify(database, kept=kept)
    except NoCheckpointError as error:
        raise InvalidSpecError(f"the checkpoint cannot be used: {error}") from error
    finally:
        database.close()


def as_json(verdict: Verdict) -> str:
    """Return the verdict as JSON."""
    return json.dumps(dataclasses.asdict(verdict), indent=2, default=str)


def as_text(verdict: Verdict) -> str:
    """Return the verdict for people: what was found, and one line that says how much was looked at."""
    looked = f"{verdict.events} sealed events, {verdict.checkpoints} checkpoints, root {verdict.root}"
    if not verdict.findings:
        return f"as it was sealed: {looked}"
    rows = [
        ("-" if each.position is None else str(each.position), str(each.event_id or "-"), each.problem)
        for each in verdict.findings
    ]
    return f"{render(('POSITION', 'EVENT', 'PROBLEM'), rows)}\n\nnot as it was sealed: {looked}"
