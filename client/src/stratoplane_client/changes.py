# SPDX-License-Identifier: Apache-2.0
"""Changes of resources: accepted with a job to wait for, or only planned by a dry run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from stratoplane_client.decode import Record, decode
from stratoplane_client.errors import UnexpectedAnswerError
from stratoplane_client.jobs import DEFAULT_WAIT, Jobs, Progress
from stratoplane_client.models.jobs import Job
from stratoplane_client.models.resources import Resource
from stratoplane_client.reading import given, segment
from stratoplane_client.transport import Call, Reply, Transport

T = TypeVar("T", bound=Resource)
Outcome = TypeVar("Outcome")
_DELETES: Final = ".delete"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change(Record, Generic[T]):
    """A change that the server has accepted.

    Attributes:
        resource: as it was when the change was accepted.
        job: that carries it out, None when nothing was left to do.
        replayed: whether this is the answer to an earlier call with the same idempotency key.
    """

    resource: T
    job: Job | None
    replayed: bool = False
    jobs: Jobs = field(repr=False, compare=False)
    reread: Callable[[str], T] = field(repr=False, compare=False)

    def wait(self, *, timeout: float = DEFAULT_WAIT, progress: Progress | None = None) -> T:
        """Return the resource as it is when the job has succeeded; after a delete, as it was.

        Args:
            timeout: seconds after which waiting ends; the job continues.
            progress: is called with the job after each poll.

        Raises:
            JobFailedError: the job ended without success.
            WaitTimeoutError: ``timeout`` seconds have passed.
        """
        if self.job is None:
            return self.resource
        ended = self.jobs.wait(self.job.id, timeout=timeout, progress=progress)
        return self.resource if ended.kind.endswith(_DELETES) else self.reread(self.resource.id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan(Record, Generic[T]):
    """What a change would do; nothing was changed.

    Attributes:
        resource: as it would become.
        cluster: on which it would be placed.
        quota: by how much each quota's usage would grow.
        steps: of its job.
    """

    resource: T
    cluster: str | None = None
    quota: Mapping[str, int] = field(default_factory=dict)
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection(Generic[T]):
    """Where resources of one kind are in the API, and how they are called there."""

    transport: Transport
    path: str
    member: str
    kind: type[T]
    jobs: Jobs


class Changes(Generic[T, Outcome]):
    """The calls that change resources of one kind; ``Outcome`` is a :class:`Change`, or a :class:`Plan` of it."""

    def __init__(
        self, collection: Collection[T], outcome: Callable[[Collection[T], Reply], Outcome], query: Mapping[str, object]
    ) -> None:
        """Keep where and how to call."""
        self._collection = collection
        self._outcome = outcome
        self._query = query

    def delete(self, identifier: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> Outcome:
        """Delete one by its id.

        Args:
            identifier: of the resource.
            if_match: the ``etag`` that it must still have.
            idempotency_key: names this change; the same key gets the same answer.

        Raises:
            NotFoundError: there is none.
            InUseError: others use it; release it from those first.
            VersionConflictError: it changed since ``if_match``.
        """
        return self._change("DELETE", f"/{segment(identifier)}", None, if_match, idempotency_key)

    def _create(self, body: Mapping[str, Any], idempotency_key: str | None) -> Outcome:
        return self._change("POST", "", given(body), None, idempotency_key)

    def _update(
        self,
        identifier: str,
        body: Mapping[str, Any],
        if_match: str | None,
        idempotency_key: str | None,
    ) -> Outcome:
        return self._change("PATCH", f"/{segment(identifier)}", given(body), if_match, idempotency_key)

    def _act(self, identifier: str, action: str, idempotency_key: str | None) -> Outcome:
        return self._change("POST", f"/{segment(identifier)}/{action}", None, None, idempotency_key)

    def _change(
        self, method: str, path: str, body: object, if_match: str | None, idempotency_key: str | None
    ) -> Outcome:
        collection = self._collection
        reply = collection.transport.send(
            Call(
                method=method,
                path=collection.path + path,
                query=self._query,
                body=body,
                if_match=if_match,
                idempotency_key=idempotency_key,
                replayed=True,
            )
        )
        return self._outcome(collection, reply)


DRY_RUN: Final[Mapping[str, object]] = {"dry_run": True}
"""The query of a dry run: the change is checked and planned, and nothing is kept."""


def change_from_reply(collection: Collection[T], reply: Reply) -> Change[T]:
    """Return the change that the server has accepted."""
    body = _object(reply)
    job = body.get("job")

    def reread(identifier: str) -> T:
        answer = collection.transport.send(Call(method="GET", path=f"{collection.path}/{segment(identifier)}"))
        return decode(collection.kind, answer.body)

    return Change(
        resource=decode(collection.kind, body.get(collection.member)),
        job=None if job is None else decode(Job, job),
        replayed=reply.headers.get("idempotency-replayed") == "true",
        jobs=collection.jobs,
        reread=reread,
        raw=body,
    )


def plan_from_reply(collection: Collection[T], reply: Reply) -> Plan[T]:
    """Return what a dry run says would be done."""
    body = _object(reply)
    if body.get("dry_run") is not True:
        raise UnexpectedAnswerError(
            "the server ignored the dry run and may have made the change; check before you continue"
        )
    facts = decode(_Facts, body)
    return Plan(
        resource=decode(collection.kind, body.get(collection.member)),
        cluster=facts.cluster,
        quota=facts.quota,
        steps=facts.steps,
        raw=body,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Facts(Record):
    cluster: str | None = None
    quota: Mapping[str, int] = field(default_factory=dict)
    steps: tuple[str, ...] = ()


def _object(reply: Reply) -> Mapping[str, Any]:
    if not isinstance(reply.body, Mapping):
        raise UnexpectedAnswerError("the answer to a change is not a JSON object; is this a Stratoplane server?")
    return reply.body
