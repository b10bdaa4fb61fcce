# SPDX-License-Identifier: Apache-2.0
"""Distributions that tests install."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from stevedore.extension import ExtensionManager

Offer = Callable[..., str]


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Return a function that installs a distribution with one module and one entry point."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(ExtensionManager, "ENTRY_POINT_CACHE", {})

    def install(group: str, name: str, source: str, *, attribute: str = "", distribution: str = "") -> str:
        module = f"installed_{uuid.uuid4().hex}"
        (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
        folder = tmp_path / f"{distribution or module}-1.2.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution or module}\nVersion: 1.2\n")
        target = f"{module}:{attribute}" if attribute else module
        (folder / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\n")
        return module

    return install
