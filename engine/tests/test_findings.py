# SPDX-License-Identifier: Apache-2.0
"""What people read of a difference."""

from uuid import UUID

import pytest

from stratoplane.compared_fields import DriftPolicy
from stratoplane_engine.drift.findings import drifted
from stratoplane_engine.model.drift import Difference


@pytest.mark.parametrize(
    ("desired", "observed", "corrections", "title"),
    [
        ("RUNNING", "STOPPED", 0, "power of virtual machine web-1 is STOPPED, not RUNNING"),
        (4, 2, 1, "power of virtual machine web-1 is 2, not 4; one correction within an hour failed or did not last"),
        (
            ["a", "b"],
            [],
            3,
            'power of virtual machine web-1 is [], not ["a","b"]; 3 corrections within an hour failed or did not last',
        ),
        (True, None, 0, "power of virtual machine web-1 is null, not true"),
    ],
)
def test_a_title_has_json_values_and_says_what_became_of_corrections(
    desired: object, observed: object, corrections: int, title: str
) -> None:
    difference = Difference(
        id=UUID(int=1),
        organization_id=UUID(int=2),
        project_id=UUID(int=3),
        kind="virtual_machine",
        name="web-1",
        cluster_id=UUID(int=4),
        field="power",
        desired=desired,
        observed=observed,
        policy=DriftPolicy.CORRECT,
        corrections=corrections,
    )
    assert drifted(difference).title == title
