# SPDX-License-Identifier: Apache-2.0
"""Run deptry on each distribution: what it imports it declares, and what it declares it imports.

deptry does not read setup.cfg, so each distribution's requirements are written down for it. The source is checked
against what an installation brings, then source and tests together against that and the extras.
"""

import configparser
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
CONFIGURATION: Final = ROOT / "deptry.toml"


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """The requirement lines of one distribution: those that come with it, and those of its extras."""

    always: Sequence[str]
    extras: Sequence[str]


def main() -> int:
    """Check every distribution, print what deptry finds, and return the process's exit code."""
    failed = [folder.name for folder in distributions(ROOT) if not is_clean(folder)]
    print(f"dependencies of {', '.join(failed)} have to be mended" if failed else "dependencies are clean")
    return 1 if failed else 0


def distributions(root: Path) -> Iterator[Path]:
    """Yield the folder of every distribution."""
    for pattern in ("*/setup.cfg", "drivers/*/setup.cfg", "plugins/*/setup.cfg"):
        yield from (path.parent for path in sorted(root.glob(pattern)))


def read_requirements(folder: Path) -> Requirements:
    """Return what the metadata of a distribution declares."""
    metadata = configparser.ConfigParser(delimiters=("=",))
    metadata.read(folder / "setup.cfg", encoding="utf-8")
    extras = metadata["options.extras_require"].values() if metadata.has_section("options.extras_require") else ()
    return Requirements(
        always=_lines(metadata["options"].get("install_requires", "")),
        extras=[line for extra in extras for line in _lines(extra)],
    )


def is_clean(folder: Path) -> bool:
    """Run deptry on the source of a distribution, then on its tests, too."""
    declared = read_requirements(folder)
    source = _deptry(folder, ["src"], declared.always, declared.extras)
    return _deptry(folder, ["src", "tests"], [*declared.always, *declared.extras], ()) and source


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _deptry(folder: Path, roots: Sequence[str], always: Sequence[str], extras: Sequence[str]) -> bool:
    with tempfile.TemporaryDirectory() as scratch:
        shipped, further = Path(scratch, "shipped.txt"), Path(scratch, "further.txt")
        shipped.write_text("\n".join(always), encoding="utf-8")
        further.write_text("\n".join(extras), encoding="utf-8")
        command = [sys.executable, "-m", "deptry", *roots, "--config", str(CONFIGURATION), "--no-ansi"]
        command += ["--requirements-files", str(shipped), "--requirements-files-dev", str(further)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"{folder.relative_to(ROOT)} ({' and '.join(roots)}):\n{done.stderr}")
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
