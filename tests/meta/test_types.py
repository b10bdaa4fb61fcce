# SPDX-License-Identifier: Apache-2.0
"""The type checker finds a misspelt member of the platform's nouns, so that no test has to."""

from pathlib import Path

import pytest
from mypy import api

MISTAKES = {
    "a job's member": (
        "from stratoplane_engine.model.job import Job",
        "Job",
        "it.stat",
        '"Job" has no attribute "stat"',
    ),
    "a resource's member": (
        "from stratoplane.kinds import Spec\nfrom stratoplane_engine.model.resource import Resource",
        "Resource[Spec]",
        "it.cluster_uid",
        '"Resource[Spec]" has no attribute "cluster_uid"',
    ),
    "a member of a kind's spec": (
        "from stratoplane_engine.kinds.volume import VolumeSpec",
        "VolumeSpec",
        "it.size_gb",
        '"VolumeSpec" has no attribute "size_gb"',
    ),
    "a value of another noun": (
        "from stratoplane_engine.model.cluster import Cluster",
        "Cluster",
        "it.id + 1",
        'Unsupported operand types for + ("UUID" and "int")',
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_fails_the_type_check(mistake: str, root: Path, tmp_path: Path) -> None:
    imported, noun, expression, said = MISTAKES[mistake]
    module = tmp_path / "mistaken.py"
    module.write_text(f"{imported}\n\n\ndef read(it: {noun}) -> None:\n    print({expression})\n", encoding="utf-8")

    report, trouble, code = api.run(["--config-file", str(root / "setup.cfg"), str(module)])

    assert (code, trouble) == (1, ""), report
    assert said in report
