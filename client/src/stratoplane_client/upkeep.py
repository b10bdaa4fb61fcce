# SPDX-License-Identifier: Apache-2.0
"""What operators do about jobs that went wrong, and about what these left behind."""

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
        """Ask that a job stops. Raises NotFoundError, ConflictError."""
        return act(self._transport, self._path, identifier, "cancel")

    def retry(self, identifier: str) -> Job:
        """Try a job again; a failed one gets a new job. Raises NotFoundError, ConflictError."""
        return act(self._transport, self._path, identifier, "retry")

    def resolve(self, identifier: str, *, note: str) -> Job:
        """End a job where it stands; what it had made is listed as leaks.

        Args:
            identifier: of the job.
            note: why, for the record.

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
    """What failed jobs may have left at providers; ``list(open=False)`` shows those that were seen to as well."""

    def __init__(self, transport: Transport, path: str) -> None:
        """Keep where they are."""
        super().__init__(transport, path, Leak)

    def resolve(self, identifier: str, *, note: str) -> Leak:
        """Close one: somebody has looked at the provider. Raises NotFoundError."""
        call = Call(method="POST", path=f"{self._path}/{segment(identifier)}/resolve", body={"note": note})
        return decode(Leak, self._transport.send(call).body)
