# SPDX-License-Identifier: Apache-2.0
"""Decision pages are numbered once, without gaps, and listed."""

import re

import pytest


@pytest.fixture(scope="module")
def decisions(root):
    return sorted(path for path in (root / "docs/adr").glob("*.md") if path.name != "index.md")


def test_numbers_are_unique_and_without_gaps(decisions):
    numbers = [int(path.name[:4]) for path in decisions]

    assert numbers == list(range(1, len(decisions) + 1))


def test_the_heading_carries_the_number_and_the_page_its_status_and_parts(decisions):
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        assert re.match(rf"# {int(path.name[:4])}\. \S", text), path.name
        assert re.findall(r"^## (.*)$", text, re.MULTILINE)[:3] == ["Context", "Decision", "Consequences"], path.name
        assert re.search(r"^Date: \d{4}-\d{2}-\d{2}\. Status: \w", text, re.MULTILINE), path.name


def test_every_decision_is_listed(decisions, root):
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (root / "docs/adr/index.md").read_text(encoding="utf-8"))

    assert listed == [path.name for path in decisions]
