# SPDX-License-Identifier: Apache-2.0
"""``audit verify``: the result of checking the audit trail against its seals."""

import dataclasses
import json

from stratoplane.errors import InvalidSpecError
from stratoplane_engine.audit_trail.checkpoint import InvalidCheckpointError
from stratoplane_engine.audit_trail.verify import VerificationReport, verify
from stratoplane_engine.db import schema
from stratoplane_engine.db.connection import Database
from stratoplane_server.databases import NoDatabaseError
from stratoplane_server.tables import render


def verify_trail(url: str, *, kept: str | None) -> VerificationReport:
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
        if schema.current_revision(database) != schema.wanted_revision():
            raise NoDatabaseError("the database schema is of another version; run stratoplane-server migrate first")
        return verify(database, kept=kept)
    except InvalidCheckpointError as error:
        raise InvalidSpecError(f"the checkpoint cannot be used: {error}") from error
    finally:
        database.close()


def as_json(report: VerificationReport) -> str:
    """Return the report as JSON."""
    return json.dumps(dataclasses.asdict(report), indent=2, default=str)


def as_text(report: VerificationReport) -> str:
    """Return the report for people: what was found, and one line that says how much was checked."""
    checked = f"{report.events} sealed events, {report.checkpoints} checkpoints, root {report.root}"
    if not report.findings:
        return f"verified: {checked}"
    rows = [
        ("-" if each.position is None else str(each.position), str(each.event_id or "-"), each.problem)
        for each in report.findings
    ]
    return f"{render(('POSITION', 'EVENT', 'PROBLEM'), rows)}\n\nverification failed: {checked}"
