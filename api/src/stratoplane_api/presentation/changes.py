# SPDX-License-Identifier: Apache-2.0
"""Answers to changes in the form that the API shows."""

from typing import Final

from stratoplane.kinds import display_name
from stratoplane.spec_changes import Interruption
from stratoplane_engine.model.change import ChangePlan

_EFFECTS: Final = {
    None: "",
    Interruption.STOP: "the running {noun} is stopped",
    Interruption.RESTART: "the running {noun} is stopped and started again",
}


def plan(kind: str, value: ChangePlan) -> dict[str, object]:
    """Return the wire form of what a change of a resource of a kind would take and do."""
    return {
        "cluster": value.cluster,
        "quota": {str(key): amount for key, amount in value.quota.items()},
        "job_kind": value.job_kind,
        "steps": value.steps,
        "interruption": value.interruption,
        "effect": _EFFECTS[value.interruption].format(noun=display_name(kind)),
    }
