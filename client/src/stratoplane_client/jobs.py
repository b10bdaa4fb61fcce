# SPDX-License-Identifier: Apache-2.0
"""Jobs of a project, and waiting for one by the server's long poll."""

import time
from collections.abc import Callable, Iterator
from typing import Final

from stratoplane_client.decode import decode
from stratoplane_client.errors import ConnectionFailedError, UnavailableError
from stratoplane_client.job_errors import JobFailedError, WaitTimeoutError
from stratoplane_client.models.jobs import Job
from stratoplane_client.paging import LARGEST_PAGE, pages
from stratoplane_client.reading import segment
from stratoplane_client.transport import Call, Transport

DEFAULT_WAIT: Final = 600.0
"""Default number of seconds to wait."""
LONGEST_POLL: Final = 20.0
WATCHED_POLL: Final = 1.0
"""Seconds that one long poll takes, without and with a progress callback."""
LONGEST_ABSENCE: Final = 60.0
"""Seconds without the server after which waiting is given up."""
_TOO_SOON: Final = 0.25
_AGAIN: Final = 1.0

Progress = Callable[[Job], None]


def act(transport: Transport, path: str, identifier: str, verb: str, body: object = None) -> Job:
    """Start an action on a job below ``path`` and return the job in the answer."""
    return _act(transport, Call(method="POST", path=f"{path}/{segment(identifier)}/{verb}", body=body))


def _act(transport: Transport, call: Call) -> Job:
    return decode(Job, transport.send(call).body)


class Jobs:
    """Jobs of one project."""

    def __init__(self, transport: Transport, path: str) -> None:
        """Keep where the jobs are."""
        self._transport = transport
        self._path = path

    def list(
        self, *, status: str | None = None, resource_id: str | None = None, page_size: int = LARGEST_PAGE
    ) -> Iterator[Job]:
        """Yield jobs, newest first: those in state ``status``, those of the resource ``resource_id``."""
        query = {"limit": page_size, "status": status, "resource_id": resource_id}
        return pages(self._transport, self._path, Job, query)

    def get(self, identifier: str, *, wait: float = 0.0) -> Job:
        """Return one job, at once or when it has ended.

        Args:
            identifier: of the job.
            wait: seconds that the server holds the answer at most, in whole seconds.

        Raises:
            NotFoundError: there is no such job.
        """
        seconds = max(1, round(wait)) if wait > 0 else None
        call = Call(method="GET", path=f"{self._path}/{segment(identifier)}", query={"wait": seconds}, patience=wait)
        return decode(Job, self._transport.send(call).body)

    def cancel(self, identifier: str, *, idempotency_key: str | None = None) -> Job:
        """Request the cancellation of a job and return it; it is cancelled after its current step, or completes.

        Raises:
            NotFoundError: there is no such job.
            ConflictError: it has ended.
        """
        return self._change(identifier, "cancel", idempotency_key)

    def retry(self, identifier: str, *, idempotency_key: str | None = None) -> Job:
        """Run a waiting job now, or start a failed create or delete again; return that job.

        Raises:
            NotFoundError: there is no such job.
            ConflictError: there is nothing to retry.
            QuotaFullError: the resource no longer fits the quota.
        """
        return self._change(identifier, "retry", idempotency_key)

    def wait(self, identifier: str, *, timeout: float = DEFAULT_WAIT, progress: Progress | None = None) -> Job:
        """Return the job when it has succeeded.

        Args:
            identifier: of the job.
            timeout: seconds after which waiting ends; the job continues.
            progress: is called with the job after each poll.

        Raises:
            JobFailedError: it ended without success.
            WaitTimeoutError: ``timeout`` seconds have passed.
            ConnectionFailedError: the server was unreachable for a minute; a shorter outage does not end the wait.
        """
        deadline = time.monotonic() + timeout
        longest = LONGEST_POLL if progress is None else WATCHED_POLL
        while True:
            started = time.monotonic()
            job = self._look(identifier, max(0.0, min(longest, deadline - started)), deadline)
            if progress is not None:
                progress(job)
            if job.succeeded:
                return job
            if job.ended:
                raise JobFailedError(job)
            if time.monotonic() >= deadline:
                raise WaitTimeoutError(job, timeout)
            if time.monotonic() - started < _TOO_SOON:
                # The server holds no more requests at present and answered at once.
                self._transport.sleep(_TOO_SOON)

    def _change(self, identifier: str, verb: str, idempotency_key: str | None) -> Job:
        path = f"{self._path}/{segment(identifier)}/{verb}"
        return _act(self._transport, Call(method="POST", path=path, idempotency_key=idempotency_key, replayed=True))

    def _look(self, identifier: str, wait: float, deadline: float) -> Job:
        """Return the job; tolerate a short outage of the server, because the job continues without it."""
        patience = min(deadline, time.monotonic() + LONGEST_ABSENCE)
        while True:
            try:
                return self.get(identifier, wait=wait)
            except (ConnectionFailedError, UnavailableError):
                if time.monotonic() >= patience:
                    raise
                self._transport.sleep(_AGAIN)
