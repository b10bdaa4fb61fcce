# SPDX-License-Identifier: Apache-2.0
"""Failed jobs and the leaks they left behind, for operators."""

from collections.abc import Iterator

from stratoplane_client.decode import decode
from stratoplane_client.jobs import act
from stratoplane_client.models.jobs import Job, JobOperation, Leak
from stratoplane_client.paging import LARGEST_PAGE, pages
from stratoplane_client.reading import Reading, Showing, segment
from stratoplane_client.transport import Call, Transport


class AllJobs(Showing[Job]):
    """Jobs of every organization."""

    def __init__(self, transport: Transport, path: str) -> None:
        """Keep where they are."""
        super().__init__(transport, path, Job)

    def cancel(self, identifier: str) -> Job:
        """Request that a job is cancelled. Raises NotFoundError, ConflictError."""
        return act(self._transport, self._path, identifier, "cancel")

    def retry(self, identifier: str) -> Job:
        """Retry a job; a failed one gets a new job. Raises NotFoundError, ConflictError."""
        return act(self._transport, self._path, identifier, "retry")

    def resolve(self, identifier: str, *, note: str) -> Job:
        """End a job immediately; what it had created is recorded as leaks.

        Args:
            identifier: of the job.
            note: the reason, for the audit trail.

        Raises:
            NotFoundError: there is no such job.
            ConflictError: it has ended.
        """
        return act(self._transport, self._path, identifier, "resolve", {"note": note})

    def operations(self, identifier: str) -> Iterator[JobOperation]:
        """Yield the driver calls of a job, oldest first."""
        path = f"{self._path}/{segment(identifier)}/operations"
        return pages(self._transport, path, JobOperation, {"limit": LARGEST_PAGE})


class Leaks(Reading[Leak]):
    """Objects that failed jobs may have left at providers; ``list(open=False)`` includes resolved leaks."""

    def __init__(self, transport: Transport, path: str) -> None:
        """Keep where they are."""
        super().__init__(transport, path, Leak)

    def resolve(self, identifier: str, *, note: str) -> Leak:
        """Resolve a leak after checking the provider. Raises NotFoundError."""
        call = Call(method="POST", path=f"{self._path}/{segment(identifier)}/resolve", body={"note": note})
        return decode(Leak, self._transport.send(call).body)
