# SPDX-License-Identifier: Apache-2.0
"""Jobs in the form that the API shows."""

from stratoplane_engine.kinds import wire_form
from stratoplane_engine.model.job import Job


def job(value: Job) -> dict[str, object]:
    """Return the wire form of a job."""
    return wire_form.job_value(value)
