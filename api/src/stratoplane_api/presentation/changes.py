# SPDX-License-Identifier: Apache-2.0
"""Answers to changes in the form that the API shows."""

from stratoplane_engine.model.change import ChangePlan


def plan(value: ChangePlan) -> dict[str, object]:
    """Return the wire form of what a change would take."""
    quota = {str(key): amount for key, amount in value.quota.items()}
    return {"cluster": value.cluster, "quota": quota, "steps": value.steps}
