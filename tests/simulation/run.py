# SPDX-License-Identifier: Apache-2.0
"""Run the simulation over many seeds, or one of them with its whole story.

    make simulate             1,000 seeds
    make simulate SEEDS=50    fewer
    make simulate SEED=7      seed 7 again, with a line for each thing that happens

The last line is JSON. A seed that finds something wrong is printed, and the exit status is 1.
"""

import argparse
import gc
import json
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable

from tests.simulation.simulated.world import Report, World

_SUMS = ("events", "jobs", "kills", "pauses", "lost", "duplicated", "wake_ups_lost", "stale_refused", "faults", "leaks")


def run_seed(seed: int) -> Report:
    """Run one seed in silence, and clear up once for ten of them, which takes less time."""
    logging.disable(logging.CRITICAL)
    gc.disable()
    report = World(seed).run()
    if seed % 10 == 0:
        gc.collect()
    return report


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description="Run the deterministic simulation.")
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds, from 0")
    parser.add_argument("--seed", type=int, help="this one only, with its story")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes side by side")
    arguments = parser.parse_args()
    begun = time.monotonic()
    if arguments.seed is not None:
        logging.disable(logging.CRITICAL)
        return _show([World(arguments.seed, trace=print).run()], begun)
    with multiprocessing.get_context("fork").Pool(arguments.jobs) as pool:
        return _show(pool.imap_unordered(run_seed, range(arguments.seeds), chunksize=5), begun)


def _show(reports: Iterable[Report], begun: float) -> int:
    done = []
    for report in reports:
        done.append(report)
        for violation in report.violations[:5]:
            print(f"seed {report.seed}: {violation}; make simulate SEED={report.seed} shows how", flush=True)
    totals = {name: sum(getattr(report, name) for report in done) for name in _SUMS}
    totals = {{"lost": "messages_lost", "duplicated": "messages_duplicated"}.get(k, k): v for k, v in totals.items()}
    figures = {
        "seeds": len(done),
        "seconds": round(time.monotonic() - begun, 1),
        "virtual_hours": round(sum(report.virtual_seconds for report in done) / 3600, 1),
        **totals,
        "failed_seeds": sorted(report.seed for report in done if report.violations),
        "violations": sum(len(report.violations) for report in done),
    }
    print(json.dumps(figures))
    return 1 if figures["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
