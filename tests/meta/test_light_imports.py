# SPDX-License-Identifier: Apache-2.0
"""What an import loads: the contracts stay light, the engine loads no web framework, the client nothing of ours."""

import json
import subprocess
import sys

import pytest

PROBE = """
import importlib, json, pkgutil, sys
before = set(sys.modules)
def load(name):
    for module in pkgutil.iter_modules(getattr(importlib.import_module(name), "__path__", ()), name + "."):
        if not module.name.startswith(tuple(sys.argv[2:]) or ("-",)):
            load(module.name)
load(sys.argv[1])
print(json.dumps(sorted({name.split(".")[0] for name in set(sys.modules) - before})))
"""


def loaded_by(package: str, *without: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter loads for all modules of ``package``."""
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE, package, *without], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return set(json.loads(answer.stdout))


def test_the_contracts_load_the_standard_library_pluggy_and_stevedore_only():
    found = loaded_by("stratoplane", "stratoplane.testing")

    assert found - sys.stdlib_module_names == {"stratoplane", "pluggy", "stevedore"}


def test_the_engine_loads_no_web_framework():
    found = loaded_by("stratoplane_engine", "stratoplane_engine.db.migrations")

    assert "stratoplane_engine" in found
    assert found & {"flask", "flask_smorest", "marshmallow", "werkzeug", "stratoplane_api"} == set()


@pytest.mark.parametrize("package", ["stratoplane_client", "stratoplane_embedded"])
def test_independent_packages_load_nothing_of_ours(package):
    found = loaded_by(package, f"{package}.testing", f"{package}.__main__")

    assert {name for name in found if name.startswith("stratoplane")} == {package}


@pytest.mark.parametrize("package", ["stratoplane_agent", "stratoplane_mock"])
def test_the_data_plane_loads_no_control_plane(package):
    found = loaded_by(package, f"{package}.__main__")

    assert {name for name in found if name.startswith("stratoplane")} == {package, "stratoplane"}
    assert found & {"flask", "sqlalchemy", "psycopg", "rq", "redis"} == set()
