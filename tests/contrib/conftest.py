# SPDX-License-Identifier: Apache-2.0
"""What the tests of ``contrib/`` share."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def contrib() -> Path:
    """Return the folder whose files are tested."""
    return ROOT / "contrib"


@pytest.fixture(scope="session")
def known_variables() -> set[str]:
    """Return every variable of the environment that the generated reference of settings names."""
    page = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    return {word.strip("`") for word in page.split() if word.startswith("`STRATOPLANE_")}
