# SPDX-License-Identifier: Apache-2.0
"""What the contracts may import, and where SQL is written; `make dead` checks what is declared."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


def imported(path: Path) -> Iterator[str]:
    """Yield the top-level names that a source file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


def test_only_the_conformance_kit_needs_an_extra_of_the_contracts(tree):
    core = next(each for each in tree if each.name == "stratoplane")
    names = {name for path in core.sources if "testing" not in path.parts for name in imported(path)}

    assert names - sys.stdlib_module_names == {"stratoplane", "pluggy", "stevedore"}


SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+(\s+\w+)?\s+SET|DELETE\s+FROM|WITH\s+\w+\s+AS|jsonb_\w+\()|\w->>?'",
    re.DOTALL,
)
"""Words that only SQL has, as the platform writes them."""
MAKES_STATEMENTS = {"text", "Statement"}
SPEAKS_TO_POSTGRESQL = {"stratoplane-engine", "stratoplane-api", "stratoplane-server"}


def strings(node: ast.AST) -> str:
    """Return the text of a string or of the constant parts of an f-string, empty for anything else."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def sql_in(source: str) -> Iterator[str]:
    """Yield what of a source file is SQL or makes it: imports, calls and texts."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in {"sqlalchemy", "psycopg"}:
            if node.module != "psycopg.errors":
                yield from (f"from {node.module} import {each.name}" for each in node.names)
        elif isinstance(node, ast.Import):
            yield from (f"import {each.name}" for each in node.names if re.match(r"(sqlalchemy|psycopg)\b", each.name))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKES_STATEMENTS:
            yield f"{node.func.id}() in line {node.lineno}"
        elif isinstance(node, ast.expr) and SQL.search(strings(node)):
            yield f"SQL in line {node.lineno}"


def test_sql_is_written_in_one_place(tree):
    """Outside the database layer a connection is passed on and a refusal of the database is recognised, no more."""
    strays = {
        (str(path.relative_to(each.folder)), found)
        for each in tree
        if each.name in SPEAKS_TO_POSTGRESQL
        for path in each.sources
        if "db" not in path.relative_to(each.folder).parts
        for found in sql_in(path.read_text(encoding="utf-8"))
    }

    assert strays == set()


@pytest.mark.parametrize(
    "stray",
    [
        "from sqlalchemy import text",
        "import psycopg",
        "rows(text('ANALYZE'))",
        "Statement('ANALYZE')",
        'wanted = f"SELECT {columns} FROM resource"',
        "differs = \"r.spec->'power'\"",
        "'INSERT INTO job (id) VALUES (:id)'",
        "'UPDATE resource r SET name = 1'",
        "'WITH old AS (DELETE FROM job RETURNING id) TABLE old'",
    ],
)
def test_the_guard_sees_sql_in_any_form(stray):
    assert list(sql_in(stray))


def test_the_guard_lets_plain_english_pass():
    source = '"""Update a row with what was selected from the form."""\nfrom psycopg.errors import UniqueViolation'

    assert list(sql_in(source)) == []
