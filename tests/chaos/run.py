# SPDX-License-Identifier: Apache-2.0
"""Run the real process tree under load while it is killed, paused, wiped and cut off; then look for damage.

    make chaos                         180 seconds
    make chaos SECONDS=600 SEED=7      longer, with the faults and the load of that seed

The last line printed is JSON. Exit code 1 when a mark is missed: anything lost, duplicated, orphaned, stuck or broken,
or a recovery of 45 seconds and more. The history stays in the folder that is printed then.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from tests.chaos.checkers import Finding, check, quiet
from tests.chaos.nemesis import Nemesis
from tests.chaos.probes import probe
from tests.chaos.tenants import History, Project, Tally, Tenant, make_project
from tests.chaos.tree import Tree, wait_until

LONGEST_RECOVERY: Final = 45.0
_TENANTS: Final = 4
_PROJECTS: Final = 3
_LAST_REQUESTS: Final = 60.0
_QUIET_SECONDS: Final = 240.0
_MARKS: Final = ("lost", "duplicated", "orphaned", "stuck", "broken")
_SHOWN: Final = 20


def main() -> int:
    """Run, print, and return the exit code."""
    options = _parse()
    folder = Path(tempfile.mkdtemp(prefix="spchaos"))
    history = History(folder / "history.jsonl")
    with Tree(folder, seed=options.seed) as tree:
        figures, findings = _storm(tree, options, history)
    missed = bool(findings) or figures["recovery"]["max"] >= LONGEST_RECOVERY
    if missed:
        _explain(options, findings, folder)
    else:
        shutil.rmtree(folder)
    print(json.dumps(figures))
    return int(missed)


def _storm(tree: Tree, options: argparse.Namespace, history: History) -> tuple[dict[str, Any], list[Finding]]:
    tally, nemesis = Tally(), Nemesis(tree, options.seed, history)
    projects = [make_project(tree) for _ in range(_PROJECTS)]
    tenants = [
        Tenant(tree.clients.url, projects[number % _PROJECTS], options.seed * 1000 + number, tally, history)
        for number in range(_TENANTS)
    ]
    for tenant in tenants:
        tenant.start()
    nemesis.run(options.seconds)
    for tenant in tenants:
        tenant.finish(_LAST_REQUESTS)
    for tenant in tenants:
        tenant.join(2 * _LAST_REQUESTS)
    settled = _settle(tree)
    findings = [*check(tree, tally), *_probed(tree, projects[0])]
    figures = _figures(tree, options, tally, nemesis, findings)
    return figures | {"settled_seconds": round(settled, 1)}, findings


def _settle(tree: Tree) -> float:
    """Wait until nothing is left to do, or until that takes too long; the checkers tell which."""
    begun = time.monotonic()
    try:
        wait_until(lambda: quiet(tree), "quiescence", _QUIET_SECONDS)
    except TimeoutError as error:
        print(error, file=sys.stderr)
    return time.monotonic() - begun


def _probed(tree: Tree, project: Project) -> list[Finding]:
    try:
        return list(probe(tree, project))
    except (TimeoutError, RuntimeError) as error:
        return [Finding(mark="stuck", invariant="J8", subject="probe", what=str(error))]


def _figures(
    tree: Tree, options: argparse.Namespace, tally: Tally, nemesis: Nemesis, findings: list[Finding]
) -> dict[str, Any]:
    marks = Counter(finding.mark for finding in findings)
    counts = ("kills", "pauses", "wipes", "partitions", "restarts", "wakeups")
    why = tree.observer.rows(
        "SELECT coalesce(error->>'code', '') AS code, count(*) AS jobs FROM job WHERE state = 'FAILED' GROUP BY 1"
    )
    ends = tree.observer.rows("SELECT state, count(*) AS jobs FROM job GROUP BY state ORDER BY state")
    return {
        "seed": options.seed,
        "seconds": options.seconds,
        "accepted": len(tally.accepted),
        "jobs": {row["state"]: row["jobs"] for row in ends},
        "failed": {row["code"]: row["jobs"] for row in why},
        **{name: nemesis.counts[name] for name in counts},
        "lost_replies": tree.agents.lost + tree.clients.lost,
        **{name: marks[name] for name in _MARKS},
        "stale_writes_refused": _refused(tree),
        "recovery": _recovery(tree, nemesis),
    }


def _refused(tree: Tree) -> int:
    verdicts = tree.log_lines("updates of jobs were refused")
    return sum(int(line.split(" updates of jobs were refused")[0].split()[-1]) for line in verdicts) + len(
        tree.log_lines("result_stale")
    )


def _recovery(tree: Tree, nemesis: Nemesis) -> dict[str, float]:
    """Return how long jobs rested whose process was killed or stood still."""
    query = """SELECT extract(epoch FROM min(at) - %s)::float AS seconds FROM (
            SELECT job, at FROM chaos.job_event UNION ALL SELECT job, at FROM chaos.operation_event
        ) AS moved WHERE job = ANY(%s::uuid[]) AND at > %s GROUP BY job"""
    rests = [
        row["seconds"]
        for held in nemesis.held
        if held.jobs
        for row in tree.observer.rows(query, held.at, held.jobs, held.at)
    ]
    cuts = statistics.quantiles(rests, n=100) if len(rests) > 1 else [max(rests, default=0.0)] * 99
    figures = {"p50": cuts[49], "p99": cuts[98], "max": max(rests, default=0.0)}
    return {"jobs": len(rests), **{name: round(value, 2) for name, value in figures.items()}}


def _explain(options: argparse.Namespace, findings: list[Finding], folder: Path) -> None:
    for finding in findings[:_SHOWN]:
        print(f"{finding.mark} {finding.invariant} {finding.subject}: {finding.what}", file=sys.stderr)
    if len(findings) > _SHOWN:
        print(f"and {len(findings) - _SHOWN} more", file=sys.stderr)
    print(f"history and logs: {folder}", file=sys.stderr)
    print(f"again: make chaos SECONDS={options.seconds:.0f} SEED={options.seed}", file=sys.stderr)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=180.0, help="how long faults go on")
    parser.add_argument("--seed", type=int, default=1, help="of faults and load")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
