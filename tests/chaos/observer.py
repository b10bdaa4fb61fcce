# SPDX-License-Identifier: Apache-2.0
"""What the database itself writes down of every change of a job, an operation and a quota, whoever made it."""

from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from stratoplane_engine.audit_trail.verify import VerificationReport, verify
from stratoplane_engine.db.connection import Database

_INSTALL: Final = """
CREATE SCHEMA chaos;
CREATE TABLE chaos.job_event (
    n bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), writer text, job uuid, kind text,
    was text, became text, epoch_was bigint, epoch_became bigint, owner_was text, owner_became text,
    lease_was timestamptz, lease_became timestamptz, transaction xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX ON chaos.job_event (job, n);
CREATE TABLE chaos.operation_event (
    n bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), operation uuid, job uuid,
    was text, became text, epoch_was bigint, epoch_became bigint
);
CREATE INDEX ON chaos.operation_event (operation, n);
CREATE TABLE chaos.overshoot (at timestamptz NOT NULL DEFAULT clock_timestamp(), scope uuid, key text, used bigint);

CREATE TABLE chaos.told (job uuid, transaction xid8 DEFAULT pg_current_xact_id(), PRIMARY KEY (job, transaction));

CREATE FUNCTION chaos.see_telling() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO chaos.told (job) VALUES ((NEW.payload->>'job_id')::uuid) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_told AFTER INSERT ON outbox FOR EACH ROW WHEN (NEW.topic = 'job')
    EXECUTE FUNCTION chaos.see_telling();

CREATE FUNCTION chaos.see_job() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO chaos.job_event (writer, job, kind, was, became, epoch_was, epoch_became, owner_was, owner_became,
        lease_was, lease_became)
    VALUES (current_setting('stratoplane_chaos.process', true), NEW.id, NEW.kind,
        CASE WHEN TG_OP = 'UPDATE' THEN OLD.state END, NEW.state,
        CASE WHEN TG_OP = 'UPDATE' THEN OLD.epoch END, NEW.epoch,
        CASE WHEN TG_OP = 'UPDATE' THEN OLD.lease_owner END, NEW.lease_owner,
        CASE WHEN TG_OP = 'UPDATE' THEN OLD.lease_until END, NEW.lease_until);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_born AFTER INSERT ON job FOR EACH ROW EXECUTE FUNCTION chaos.see_job();
CREATE TRIGGER chaos_moved AFTER UPDATE ON job FOR EACH ROW
    WHEN ((OLD.state, OLD.epoch, OLD.position, OLD.lease_owner, OLD.lease_until, OLD.error, OLD.output)
        IS DISTINCT FROM (NEW.state, NEW.epoch, NEW.position, NEW.lease_owner, NEW.lease_until, NEW.error, NEW.output))
    EXECUTE FUNCTION chaos.see_job();

CREATE FUNCTION chaos.see_operation() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO chaos.operation_event (operation, job, was, became, epoch_was, epoch_became)
    VALUES (NEW.id, NEW.job_id, OLD.state, NEW.state, OLD.epoch, NEW.epoch);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_moved AFTER UPDATE ON operation FOR EACH ROW
    WHEN ((OLD.state, OLD.epoch) IS DISTINCT FROM (NEW.state, NEW.epoch)) EXECUTE FUNCTION chaos.see_operation();

CREATE FUNCTION chaos.see_quota() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO chaos.overshoot (scope, key, used) VALUES (NEW.scope_id, NEW.key, NEW.used);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_over AFTER UPDATE ON quota FOR EACH ROW
    WHEN (NEW.limit_amount <> -1 AND NEW.used > NEW.limit_amount AND NEW.used > OLD.used)
    EXECUTE FUNCTION chaos.see_quota();
"""


class Observer:
    """Reads the platform's database as its owner does, past every role."""

    def __init__(self, url: str) -> None:
        self._url: Final = url

    def install(self) -> None:
        """Begin to write down; once, before the load."""
        with self._connect() as connection:
            connection.execute(_INSTALL)

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Return what a query finds. Raises psycopg.Error while PostgreSQL is away."""
        with self._connect() as connection:
            return connection.execute(statement, values or None).fetchall()

    def run(self, statement: str, *values: object) -> int:
        """Run a statement and return how many rows it touched."""
        with self._connect() as connection:
            return connection.execute(statement, values or None).rowcount

    def seals(self) -> VerificationReport:
        """Return what a check of the audit trail against its seals comes to."""
        database = Database(self._url, pool_size=1, application="chaos")
        try:
            return verify(database)
        finally:
            database.close()

    def _connect(self) -> "psycopg.Connection[dict[str, Any]]":
        return psycopg.connect(self._url, row_factory=dict_row, connect_timeout=5, application_name="chaos")
