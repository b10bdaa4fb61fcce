# SPDX-License-Identifier: Apache-2.0
"""What the tests of the tree itself share: where it is, and which distributions it holds."""

import configparser
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """One folder with metadata of its own."""

    folder: Path
    metadata: configparser.ConfigParser

    @property
    def name(self) -> str:
        return self.metadata["metadata"]["name"]

    @property
    def import_name(self) -> str:
        return self.name.replace("-", "_")

    @property
    def sources(self) -> list[Path]:
        return sorted((self.folder / "src").rglob("*.py"))

    def requirements(self, *extras: str) -> list[str]:
        """Return the requirement lines of the distribution itself and of the extras named."""
        texts = [self.metadata["options"].get("install_requires", "")]
        texts += [self.metadata["options.extras_require"][extra] for extra in extras]
        return [line.strip() for text in texts for line in text.splitlines() if line.strip()]

    @property
    def extras(self) -> list[str]:
        section = "options.extras_require"
        return list(self.metadata[section]) if self.metadata.has_section(section) else []


def distributions() -> list[Distribution]:
    """Return every distribution of the tree."""
    found = []
    for pattern in ("*/setup.cfg", "drivers/*/setup.cfg", "plugins/*/setup.cfg"):
        for path in sorted(ROOT.glob(pattern)):
            metadata = configparser.ConfigParser(delimiters=("=",))
            metadata.read(path, encoding="utf-8")
            found.append(Distribution(folder=path.parent, metadata=metadata))
    return found


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def tree() -> list[Distribution]:
    found = distributions()
    assert len(found) >= 10
    return found


@pytest.fixture
def command_environment() -> dict[str, str]:
    """Return the environment without what a developer's own platform may have set."""
    return {name: value for name, value in os.environ.items() if not name.startswith("STRATOPLANE_")}
