# SPDX-License-Identifier: Apache-2.0
"""As whom PostgreSQL runs; most of it can be shown by root only, and some only where namespaces are allowed."""

import os
import pwd
import shutil
from pathlib import Path

import pytest

from stratoplane_embedded.errors import IdentityError
from stratoplane_embedded.identity import Identity, choose_identity
from stratoplane_embedded.postgresql import WITHOUT_DURABILITY, PostgresqlServer

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes who it is")
TRUE = Path(shutil.which("true") or "/bin/true")


def _namespaces_work() -> bool:
    return choose_identity(TRUE, Path("/"), Path("/")).prefix != () if os.geteuid() == 0 else False


@pytest.mark.skipif(os.geteuid() == 0, reason="root never runs it directly")
def test_an_ordinary_user_runs_it_directly(tmp_path):
    assert choose_identity(TRUE, tmp_path, tmp_path / "data") == Identity()


@needs_root
@pytest.mark.skipif(not _namespaces_work(), reason="no user namespaces here")
def test_root_steps_into_a_namespace_and_keeps_the_files(postgresql, query):
    with postgresql as server:
        assert query(server.url, "SELECT 1") == [("1",)]
        assert server.data.stat().st_uid == 0
        assert server.process is not None
        assert Path(f"/proc/{server.process.pid}/ns/user").readlink() != Path("/proc/self/ns/user").readlink()


@needs_root
def test_without_namespaces_root_becomes_nobody(short_folder, query, monkeypatch):
    """What PATH holds decides whether ``unshare`` is there: an image without util-linux."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with PostgresqlServer(short_folder / "postgresql", settings=WITHOUT_DURABILITY) as server:
        assert query(server.url, "SELECT 1") == [("1",)]
        assert server.process is not None
        nobody = pwd.getpwnam("nobody").pw_uid
        assert server.data.stat().st_uid == nobody
        assert Path(f"/proc/{server.process.pid}").stat().st_uid == nobody
        query(server.url, "CREATE TABLE kept (number int)")
    monkeypatch.undo()
    with PostgresqlServer(short_folder / "postgresql") as server:
        assert query(server.url, "SELECT count(*) FROM kept") == [("0",)]
        assert server.data.stat().st_uid == nobody


@needs_root
def test_data_of_root_goes_over_to_nobody_when_namespaces_are_taken_away(short_folder, first_data, query, monkeypatch):
    shutil.copytree(first_data, short_folder / "postgresql" / "data")
    with PostgresqlServer(short_folder / "postgresql", settings=WITHOUT_DURABILITY) as server:
        query(server.url, "CREATE TABLE kept (number int)")
    monkeypatch.setenv("PATH", "/nonexistent")
    with PostgresqlServer(short_folder / "postgresql") as server:
        assert query(server.url, "SELECT count(*) FROM kept") == [("0",)]


@needs_root
def test_when_no_identity_works_each_reason_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    tmp_path.chmod(0o700)
    (tmp_path / "inner").mkdir()
    with pytest.raises(IdentityError, match=r"(?s)can't cd to .*start as an ordinary user"):
        choose_identity(TRUE, tmp_path / "inner", tmp_path / "inner" / "data")


@needs_root
def test_a_folder_that_belongs_to_somebody_is_served_as_them(tmp_path):
    os.chown(tmp_path, 12345, 12346)
    assert choose_identity(TRUE, tmp_path, tmp_path / "data") == Identity(user=12345, group=12346)
