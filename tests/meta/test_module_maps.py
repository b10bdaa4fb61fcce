# SPDX-License-Identifier: Apache-2.0
"""Each README maps its distribution's modules, all of them and no others; the glossary names modules that exist."""

import re
from pathlib import Path
from typing import Any

import pytest

# Their sources are being rearranged: the pages describe the layout that they get.
AHEAD: frozenset[str] = frozenset()


def package(each: Any) -> Path:
    return each.folder / "src" / each.import_name


def mapped(each: Any) -> set[str]:
    """Return the modules and folders that the README's tables name in backquotes."""
    text = (each.folder / "README.md").read_text(encoding="utf-8")
    maps = re.findall(r"^\| (?:module|room|to find) \|.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    return set(re.findall(r"`([a-z_]+(?:\.py|/))`", "".join(maps)))


def present(each: Any) -> set[str]:
    """Return the modules and folders at the top of the package."""
    found = {path.name for path in package(each).glob("*.py")} - {"__init__.py"}
    return found | {f"{path.parent.name}/" for path in package(each).glob("*/__init__.py")}


def test_a_readme_maps_every_module_and_no_other(tree: list[Any]) -> None:
    wrong = {each.name: sorted(mapped(each) ^ present(each)) for each in tree if each.name not in AHEAD}

    assert len(wrong) >= 7
    assert {name: names for name, names in wrong.items() if names} == {}


def test_the_glossary_names_modules_that_exist(root: Path, tree: list[Any]) -> None:
    page = (root / "docs/contributor/glossary.md").read_text(encoding="utf-8")
    folders = {each.folder.name: each for each in tree}
    named = re.findall(r"`(\w+): ([\w/]+\.py)`", page)

    assert len(named) > 50
    absent = [
        f"{folder}: {path}"
        for folder, path in named
        if folders[folder].name not in AHEAD and not (package(folders[folder]) / path).exists()
    ]
    assert absent == []


def test_every_entry_of_the_glossary_says_where(root: Path) -> None:
    page = (root / "docs/contributor/glossary.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| word ")]

    assert [row for row in rows if not re.fullmatch(r"\| [^|]+ \| [^|]+\. \| `\w+: [\w/]+\.py` \|", row)] == []


@pytest.mark.parametrize("folder", ["agent", "api", "engine"])
def test_a_page_that_is_ahead_still_has_a_map(folder: str, tree: list[Any]) -> None:
    each = next(each for each in tree if each.folder.name == folder)

    assert len(mapped(each)) > 10
