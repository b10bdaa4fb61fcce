# SPDX-License-Identifier: Apache-2.0
"""Import every module below a source folder: whatever it needs and does not get is named.

`tox run -f isolated` runs it where one distribution is installed with what it declares, and nothing else.
"""

import argparse
import importlib
import pkgutil
import sys


def main() -> int:
    """Import the modules, print those that cannot be, and return the process's exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", help="folder that holds the package")
    found = pkgutil.walk_packages([parser.parse_args().source])
    names = [
        each.name for each in found if ".migrations." not in each.name
    ]  # Alembic runs them in a context of its own
    failures = [problem for name in names if (problem := _problem(name))]
    print("\n".join([*failures, f"{len(names) - len(failures)} of {len(names)} modules imported"]))
    return 1 if failures else 0


def _problem(name: str) -> str:
    try:
        importlib.import_module(name)
    except Exception as error:  # noqa: BLE001  # a module may break in any way; the others are imported all the same
        return f"{name}: {type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
