# SPDX-License-Identifier: Apache-2.0
"""The exemptions of `make dead`: each is still needed."""

import fnmatch
import re
import tomllib
from pathlib import Path

import pytest
from vulture import Vulture


@pytest.fixture(scope="module")
def configuration(root: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = tomllib.loads((root / "vulture.toml").read_text(encoding="utf-8"))["tool"]["vulture"]
    return found


@pytest.fixture(scope="module")
def unused(root: Path, configuration: dict[str, list[str]]) -> set[str]:
    """Return the names that vulture finds without the exempt ones, in what is shipped and in everything."""
    names = set()
    for paths in ([str(root / path) for path in configuration["paths"]], [str(root)]):
        search = Vulture(ignore_decorators=configuration["ignore_decorators"])
        search.scavenge(paths, exclude=[f"*{each}*" for each in configuration["exclude"]])
        names |= {item.name for item in search.get_unused_code(min_confidence=configuration["min_confidence"])}
    return names


def test_every_source_folder_is_searched(root, tree, configuration):
    assert {str(each.folder.relative_to(root) / "src") for each in tree} <= set(configuration["paths"])


@pytest.mark.long
def test_every_exempt_name_is_one_that_would_be_found(unused, configuration):
    assert [each for each in configuration["ignore_names"] if not fnmatch.filter(unused, each)] == []


def test_every_exempt_dependency_is_declared_somewhere(root, tree):
    rules = tomllib.loads((root / "deptry.toml").read_text(encoding="utf-8"))["tool"]["deptry"]["per_rule_ignores"]
    declared = {re.split(r"[\[<>=]", line)[0] for each in tree for line in each.requirements(*each.extras)}

    assert {name.replace("_", "-") for names in rules.values() for name in names} <= declared
