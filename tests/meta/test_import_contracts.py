# SPDX-License-Identifier: Apache-2.0
"""Each import contract is broken on purpose once, in a copy of the tree, and must fail."""

import configparser
import os
import re
import shutil
import subprocess
import sys

import pytest

# One forbidden import for every contract of the root's setup.cfg: where it is written, and what it imports.
VIOLATIONS = {
    "layers": ("engine/src/stratoplane_engine", "stratoplane_api"),
    "leaves": ("drivers/mock/src/stratoplane_mock", "stratoplane_libvirt"),
    "leaves-below": ("agent/src/stratoplane_agent", "stratoplane_engine"),
    # A file of the client that exists: a new one would break the exhaustive contract of its layers as well.
    "nothing-of-ours": ("client/src/stratoplane_client/retries.py", "stratoplane"),
    "inside-client": ("client/src/stratoplane_client/incidents.py", "stratoplane_client.foreign_objects"),
    "client-without-circles": ("client/src/stratoplane_client/cli/tables.py", "stratoplane_client.cli.output"),
    "no-concrete-driver": ("engine/src/stratoplane_engine", "stratoplane_mock"),
    "light-core": ("core/src/stratoplane", "sqlalchemy"),
    "engine-without-http": ("engine/src/stratoplane_engine", "flask"),
    "inside-core": ("core/src/stratoplane/errors.py", "stratoplane.registry"),
    "no-circles": ("drivers/mock/src/stratoplane_mock/pace.py", "stratoplane_mock.region"),
    "inside-the-engine": ("engine/src/stratoplane_engine/incidents", "stratoplane_engine.drift"),
    "gateway-without-sql": ("api/src/stratoplane_api", "sqlalchemy"),
    "views-over-services": ("api/src/stratoplane_api/views", "stratoplane_engine.db"),
}


@pytest.fixture(scope="module")
def contracts(root):
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg", encoding="utf-8")
    prefix = "importlinter:contract:"
    return {name.removeprefix(prefix): config[name]["name"] for name in config.sections() if name.startswith(prefix)}


@pytest.fixture(scope="module")
def verdicts(root, tree, tmp_path_factory):
    """Return what import-linter says of a tree that breaks every contract, by the contract's title."""
    copy = tmp_path_factory.mktemp("broken")
    shutil.copy(root / "setup.cfg", copy)
    for each in tree:
        folder = each.folder.relative_to(root) / "src"
        shutil.copytree(root / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for number, (package, forbidden) in enumerate(VIOLATIONS.values()):
        place = copy / package
        with (place if place.is_file() else place / f"violation_{number}.py").open("a", encoding="utf-8") as file:
            file.write(f"import {forbidden}\n")
    path = os.pathsep.join(str(copy / each.folder.relative_to(root) / "src") for each in tree)
    answer = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()", "--no-cache"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1, answer.stdout + answer.stderr
    return dict(re.findall(r"^(.*\S) (KEPT|BROKEN)\b", answer.stdout, re.MULTILINE))


def test_every_contract_has_a_violation(contracts):
    assert contracts.keys() == VIOLATIONS.keys()


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_violation_breaks_its_contract(contract, contracts, verdicts):
    assert verdicts[contracts[contract]] == "BROKEN"
