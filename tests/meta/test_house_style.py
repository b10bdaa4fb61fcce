# SPDX-License-Identifier: Apache-2.0
"""The part of the house style that no linter knows."""

import ast
import os
from pathlib import Path

import pytest

LONGEST_FILE = 400
LONGEST_FUNCTION = 50
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "misc"}
LEFT_OUT = {".git", ".venv", ".tox", ".stratoplane", "build", "node_modules", "__pycache__"}


@pytest.fixture(scope="module")
def files(root) -> list[Path]:
    """Return every Python file of the tree."""
    found = []
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if name not in LEFT_OUT]
        found += [Path(folder, name) for name in names if name.endswith(".py")]
    assert len(found) > 50
    return found


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_no_file_is_too_long(files, root):
    # Migrations are generated lists of statements that nobody edits again.
    ours = [path for path in files if "migrations" not in path.parts]

    assert [str(path.relative_to(root)) for path in ours if len(lines(path)) > LONGEST_FILE] == []


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def test_no_function_is_longer_than_a_screen(files, root):
    long = [
        f"{path.relative_to(root)}:{node.lineno} {node.name} {length(node)}"
        for path in files
        if "migrations" not in path.parts  # a list of statements that nobody edits again
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > LONGEST_FUNCTION
    ]

    assert long == []


def test_every_file_names_its_licence_first(files, root):
    tag = "# SPDX-License-Identifier: Apache-2.0"
    # A program that is run by name has its interpreter first.
    heads = {path: [line for line in lines(path)[:2] if not line.startswith("#!")][:1] for path in files}

    assert [str(path.relative_to(root)) for path, head in heads.items() if head not in ([tag], [])] == []


def test_no_module_has_a_name_that_says_nothing(files, root):
    assert [str(path.relative_to(root)) for path in files if path.stem in NAMES_THAT_SAY_NOTHING] == []
