# SPDX-License-Identifier: Apache-2.0
"""Give every distribution of this tree a new version, in its metadata and where others require it."""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
_VERSION: Final = re.compile(r"^version = (\S+)$", re.MULTILINE)
_REQUIREMENT: Final = re.compile(r"^(\s+stratoplane[a-z-]*(?:\[[a-z,]+\])?)>=\S+,<\S+$", re.MULTILINE)


class AmbiguousVersionError(Exception):
    """A file does not hold exactly one version; correct it manually and run the program again."""


def main() -> int:
    """Rewrite all files or none, and return the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", type=_version, help="X.Y.Z")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout, by default the one of this file")
    arguments = parser.parse_args()
    try:
        texts = {path: bumped(path, arguments.version) for path in metadata_files(arguments.root)}
    except AmbiguousVersionError as error:
        print(error, file=sys.stderr)
        return 1
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    print(f"{len(texts)} distributions are {'.'.join(map(str, arguments.version))} now")
    return 0


def metadata_files(root: Path) -> Iterator[Path]:
    """Yield the setup.cfg of every distribution; the root's own holds no version."""
    for pattern in ("*/setup.cfg", "drivers/*/setup.cfg", "plugins/*/setup.cfg"):
        yield from sorted(root.glob(pattern))


def bumped(path: Path, version: Sequence[int]) -> str:
    """Return the text of ``path`` with the new version in it.

    Raises:
        AmbiguousVersionError: when the file has not exactly one version line.
    """
    text = path.read_text(encoding="utf-8")
    found = _VERSION.findall(text)
    if len(found) != 1:
        raise AmbiguousVersionError(f"{path}: {len(found)} version lines instead of one; nothing was changed")
    major, minor, patch = version
    text = _VERSION.sub(f"version = {major}.{minor}.{patch}", text)
    return _REQUIREMENT.sub(rf"\g<1>>={major}.{minor}.0,<{major}.{minor + 1}", text)


def _version(text: str) -> tuple[int, int, int]:
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a version of the form X.Y.Z")
    major, minor, patch = map(int, match.groups())
    return major, minor, patch


if __name__ == "__main__":
    sys.exit(main())
