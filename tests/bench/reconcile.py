# SPDX-License-Identifier: Apache-2.0
"""Measure what comparing 100,000 resources with what their clusters show costs the database.

    make bench-reconcile
    make bench-reconcile ARGS="--resources 20000"

The rows are filled in set-based, half machines and half volumes; nothing else runs on the database meanwhile.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import psycopg

from stratoplane_embedded.postgresql import PostgresqlServer
from stratoplane_engine.db import migrate
from stratoplane_engine.db.connection import Database
from stratoplane_engine.drift.reconciler import reconcile, reconcile_changes
from tests.bench.report import Figure, documents, table

RESOURCES = 100_000
CHANGED = 100
ROUNDS = 5
_FILL = """
INSERT INTO organization (id, name) VALUES (md5('o')::uuid, 'bench');
INSERT INTO project (id, organization_id, name) VALUES (md5('p')::uuid, md5('o')::uuid, 'bench');
INSERT INTO cluster (id, name, seen_at) SELECT md5('c' || c)::uuid, 'c' || c, clock_timestamp()
    FROM generate_series(0, 9) AS c;
INSERT INTO resource (id, organization_id, project_id, kind, name, status, spec, cluster_id, updated_at)
SELECT md5('r' || n)::uuid, md5('o')::uuid, md5('p')::uuid,
    CASE n %% 2 WHEN 0 THEN 'virtual_machine' ELSE 'volume' END, 'r' || n,
    CASE n %% 2 WHEN 0 THEN 'RUNNING' ELSE 'ACTIVE' END,
    CASE n %% 2 WHEN 0 THEN jsonb_build_object('power', 'RUNNING', 'vcpus', 2, 'memory_mib', 2048, 'disk_gib', 10,
        'volume_ids', '[]'::jsonb, 'boot_volume_id', NULL, 'network_ids', '[]'::jsonb)
        ELSE jsonb_build_object('size_gib', 10, 'image', NULL) END,
    md5('c' || n %% 10)::uuid, clock_timestamp() - interval '1 day'
FROM generate_series(1, {count}) AS n;
INSERT INTO inventory (cluster_id, uid, kind, status, changed_at)
SELECT r.cluster_id, r.id, r.kind, r.spec || jsonb_build_object('name', r.name, 'volume_uids', '[]'::jsonb),
    clock_timestamp() - interval '1 day' FROM resource r;
UPDATE resource r SET observed = v.status FROM inventory v WHERE v.uid = r.id;
INSERT INTO inventory_report (cluster_id, kind, taken_at)
SELECT c.id, k, clock_timestamp() FROM cluster c, unnest(ARRAY['virtual_machine', 'volume']) AS k;
"""
_CHANGE = """
UPDATE inventory v SET status = v.status || '{"name": "renamed"}', changed_at = clock_timestamp()
FROM (SELECT id FROM resource WHERE kind = 'volume' ORDER BY id OFFSET %(offset)s LIMIT %(count)s) AS r
WHERE v.uid = r.id
"""


def main() -> int:
    """Fill, measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--resources", type=int, default=RESOURCES)
    count = parser.parse_args().resources
    with tempfile.TemporaryDirectory(prefix="spbr") as folder, PostgresqlServer(Path(folder)) as server:
        migrate.upgrade(server.url)
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(_FILL.replace("%%", "%").replace("{count}", str(count)))
            connection.execute("VACUUM ANALYZE")
            figures = _measure(server.url, connection, count)
    print(table(figures))
    print(json.dumps({"resources": count, "figures": documents(figures)}))
    return 0


def _measure(url: str, connection: psycopg.Connection, count: int) -> list[Figure]:
    database = Database(url, application="bench")
    reconcile(database)
    full = [_seconds(lambda: reconcile(database)) for _ in range(ROUNDS)]
    quiet = [_seconds(lambda: reconcile_changes(database)) for _ in range(ROUNDS)]
    changed = []
    for number in range(ROUNDS):
        connection.execute(_CHANGE, {"offset": number * CHANGED, "count": CHANGED})
        outcome = None

        def look() -> None:
            nonlocal outcome
            outcome = reconcile_changes(database)

        changed.append(_seconds(look))
        if outcome is None or outcome.corrected != CHANGED:
            raise RuntimeError(f"{outcome} was found instead of {CHANGED} differences; the figures would lie")
    database.close()
    return [
        Figure(name=f"full comparison of {count:,}", value=median(full), unit="s", mark="<= 2"),
        Figure(name="round, nothing changed", value=1000 * median(quiet), unit="ms"),
        Figure(name=f"round, {CHANGED} changed and corrected", value=1000 * median(changed), unit="ms"),
    ]


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
