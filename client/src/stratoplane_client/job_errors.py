# SPDX-License-Identifier: Apache-2.0
"""Errors that carry a job: it failed, or it is still running when the caller stops waiting.

They stand apart from :mod:`.errors`, which the records of jobs themselves need.
"""

from typing import TYPE_CHECKING, Final

from stratoplane_client.errors import ClientError

if TYPE_CHECKING:
    from stratoplane_client.models.jobs import Job


class JobFailedError(ClientError):
    """The job ended without success; ``job.error`` has the reason with the provider's own words."""

    def __init__(self, job: "Job") -> None:
        super().__init__(_why(job))
        self.job: Final = job


class WaitTimeoutError(ClientError):
    """The wait timed out while the job continues; the caller waits again or checks later."""

    def __init__(self, job: "Job", seconds: float) -> None:
        where = f" at step {job.progress.step!r}" if job.progress.step else ""
        reason = f", waiting for {job.waits_for}" if job.waits_for else ""
        super().__init__(f"job {job.id} is {job.state}{where} after {seconds:.0f} s{reason}")
        self.job: Final = job
        self.seconds: Final = seconds


def _why(job: "Job") -> str:
    began = f"job {job.id} {job.state.lower()}"
    if job.error is None:
        return began
    own_words = job.error.provider_text
    added = f" (provider: {' '.join(own_words.split())})" if own_words and own_words not in job.error.detail else ""
    return f"{began}: {' '.join(job.error.detail.split())}{added}"
