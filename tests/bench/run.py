# SPDX-License-Identifier: Apache-2.0
"""Measure the platform beside its floors, in one run on one machine, and print a table and JSON.

    make bench                            everything
    make bench ARGS="--only create,list"  some parts
    make bench ARGS="--json bench.json"   the figures in a file too

Every figure that has a floor is shown with the ratio to it: the same writes by bare psycopg, an empty Flask view
under the same server. Load comes from processes of their own on the same machine, so the client's share is included.
"""

import argparse
import json
import os
import platform as machine
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench import floors, measures, round_trips
from tests.bench.installation import Installation
from tests.bench.report import Figure, documents, table

PARTS: dict[str, Callable[[Installation], list[Figure]]] = {
    "idle": measures.idle_latency,
    "accept": measures.accept_rate,
    "create": measures.end_to_end,
    "turns": measures.turns,
    "list": measures.list_pages,
    "list-10": measures.list_of_ten,
    "silent": measures.silent_clients,
    "round-trips": round_trips.round_trips,
    "memory": measures.memory,
    "floor-database": floors.bare_psycopg,
    "floor-http": floors.empty_view,
}


def main() -> int:
    """Run the chosen parts and print what they measured."""
    arguments = _parse()
    with tempfile.TemporaryDirectory(prefix="spbench") as folder, Installation(Path(folder)) as installation:
        figures = [figure for name in arguments.only for figure in PARTS[name](installation)]
    print(table(figures))
    document = {
        "machine": {"cores": os.cpu_count(), "python": machine.python_version(), "load": os.getloadavg()[0]},
        "figures": documents(figures),
    }
    print(json.dumps(document))
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", type=_parts, default=list(PARTS), help="comma-separated: " + ", ".join(PARTS))
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    return parser.parse_args()


def _parts(text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := [name for name in chosen if name not in PARTS]:
        raise argparse.ArgumentTypeError(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
