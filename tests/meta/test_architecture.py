# SPDX-License-Identifier: Apache-2.0
"""The walk through one create names modules that exist, each once, and what they define."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

# A module, and the names that follow it, each in backquotes after a comma.
NAMED = re.compile(r"`(\w+): ([\w/]+\.py)`((?:,\s+`\w+`)*)")


@pytest.fixture(scope="module")
def walk(root: Path) -> list[tuple[str, str, list[str]]]:
    """Return distribution, module and names, in the order of the walk."""
    page = (root / "docs/contributor/architecture.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"<!-- walk -->(.*?)<!-- /walk -->", page, re.DOTALL)
    return [(folder, path, re.findall(r"`(\w+)`", names)) for folder, path, names in NAMED.findall(text)]


def defined(path: Path) -> set[str]:
    """Return the functions and classes at the top of a module."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {each.name for each in body if isinstance(each, ast.FunctionDef | ast.ClassDef)}


def test_it_names_each_module_once(walk: list[tuple[str, str, list[str]]]) -> None:
    modules = [(folder, path) for folder, path, _ in walk]

    assert len(modules) > 30
    assert sorted({each for each in modules if modules.count(each) > 1}) == []


def test_what_it_names_exists(walk: list[tuple[str, str, list[str]]], tree: list[Any]) -> None:
    packages = {each.folder.name: each.folder / "src" / each.import_name for each in tree}

    absent = []
    for folder, path, names in walk:
        module = packages[folder] / path
        known = defined(module) if module.exists() else set()
        absent += [f"{folder}: {path}"] if not module.exists() else []
        absent += [f"{folder}: {path}, {name}" for name in names if name not in known]
    assert absent == []


def test_it_names_modules_in_one_form(root: Path, walk: list[tuple[str, str, list[str]]]) -> None:
    page = (root / "docs/contributor/architecture.md").read_text(encoding="utf-8")
    text = page.split("<!-- walk -->")[1].split("<!-- /walk -->")[0]

    assert len(re.findall(r"`[^`]*\.py`", text)) == len(walk)
