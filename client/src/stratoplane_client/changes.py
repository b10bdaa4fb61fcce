# SPDX-License-Identifier: Apache-2.0
"""Changes of resources: accepted with a job to wait for, or only planned by a dry run."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final, Generic, Self, TypeVar

from stratoplane_client.comparison import Comparison, compare
from stratoplane_client.decode import Record, decode
from stratoplane_client.errors import (
    ApiError,
    ConflictError,
    ExistsOtherwiseError,
    InvalidRequestError,
    NameTakenError,
    QuotaFullError,
    UnavailableError,
    UnexpectedAnswerError,
)
from stratoplane_client.jobs import DEFAULT_WAIT, Jobs, Progress
from stratoplane_client.models.jobs import Job
from stratoplane_client.models.resources import Resource
from stratoplane_client.paging import LARGEST_PAGE, pages
from stratoplane_client.platform_kinds import Reference, id_of, read_kinds, references
from stratoplane_client.reading import given, segment
from stratoplane_client.transport import Call, Reply, Transport

T = TypeVar("T", bound=Resource)
Outcome = TypeVar("Outcome", bound="Answer")
_DELETES: Final = ".delete"
_UNDER_WAY: Final = frozenset({"PENDING", "UPDATING"})
_UNUSABLE: Final = {
    "DELETING": "it is being deleted; try again when it is gone",
    "FAILED": "it has failed; retry its job or delete it",
    "LOST": "its provider does not show it any more; ask an operator, or delete it",
}
_ATTEMPTS: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer(Record):
    """What the answers to every change have.

    Attributes:
        existed: whether :meth:`Changes.or_existing` found the resource instead of creating it.
        uncompared: then, the fields that the server does not show, so that they may differ.
    """

    existed: bool = False
    uncompared: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Change(Answer, Generic[T]):
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
class Plan(Answer, Generic[T]):
    """What a change would do; nothing was changed.

    Attributes:
        resource: as it would become.
        cluster: on which it would be placed.
        quota: by how much each quota's usage would grow.
        job_kind: what its job would be called, None without one; ``steps`` are the job's.
        interruption: ``STOP`` or ``RESTART`` if it does that to a resource that runs, else None.
        effect: the same in words for people, empty if nothing is interrupted.
    """

    resource: T
    cluster: str | None = None
    quota: Mapping[str, int] = field(default_factory=dict)
    job_kind: str | None = None
    steps: tuple[str, ...] = ()
    interruption: str | None = None
    effect: str = ""


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
        self._key: str | None = None
        self._or_existing = False

    def keyed(self, idempotency_key: str | None) -> Self:
        """Return the same calls, which name each change by this key unless they are given another.

        One key names one change: the same call again gets the same answer, another call is refused.
        """
        calls = copy.copy(self)
        calls._key = idempotency_key  # noqa: SLF001  # a copy of itself
        return calls

    def or_existing(self) -> Self:
        """Return the same calls, whose ``create`` gives the resource of that name where it exists already.

        The fields that are given are compared with it; empty lists and maps count as not given. The server decides
        whether the name is taken, so that of two calls at the same time one creates and the other finds it.

        Such a ``create`` also raises :class:`ExistsOtherwiseError`: the resource differs or cannot be used; the caller
        changes or deletes it, or chooses another name.
        """
        calls = copy.copy(self)
        calls._or_existing = True  # noqa: SLF001  # a copy of itself
        return calls

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
        wanted = given(body)
        for attempt in range(_ATTEMPTS):
            try:
                return self._change("POST", "", wanted, None, idempotency_key)
            except ApiError as refused:
                if not self._or_existing or not _may_be_for_what_exists(refused):
                    raise
                found = _of_name(self._collection, str(wanted["name"]), refused)
                if found is not None:
                    return self._existing(wanted, found, refused)
                if not isinstance(refused, NameTakenError) or attempt == _ATTEMPTS - 1:
                    raise
                # Whatever had the name was deleted in between.
        raise AssertionError("the last attempt returns or raises")

    def _existing(self, wanted: Mapping[str, Any], found: T, refused: ApiError) -> Outcome:
        """Return the resource that has the name already.

        Raises:
            ExistsOtherwiseError: it differs, or cannot be used.
            ApiError: it differs, and the name is not why the create was refused.
        """
        collection = self._collection
        asked = {name: value for name, value in wanted.items() if value not in ([], {})}
        compared = _compared(collection, asked, found)
        if compared.differences and not isinstance(refused, NameTakenError):
            raise refused
        unusable = _UNUSABLE.get(found.status)
        if compared.differences or unusable:
            noun = collection.member.replace("_", " ")
            raise ExistsOtherwiseError(noun, found.name, compared.differences, unusable or "") from refused
        job = None
        if found.status in _UNDER_WAY:
            jobs = collection.jobs.list(resource_id=found.id, page_size=20)
            job = next((each.raw for each in jobs if not each.ended), None)
        # In the form in which the server answers a change that finds nothing to do.
        body = {collection.member: found.raw, "job": job, "dry_run": True, "cluster": found.cluster}
        outcome = self._outcome(collection, Reply(status=HTTPStatus.OK, headers={}, body=body))
        return replace(outcome, existed=True, uncompared=compared.uncompared)

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
                idempotency_key=idempotency_key or self._key,
                replayed=True,
            )
        )
        return self._outcome(collection, reply)


def _may_be_for_what_exists(refused: ApiError) -> bool:
    """Tell whether a create may be refused because the very resource exists: it has the name, the range, the quota."""
    if isinstance(refused, UnavailableError):
        return refused.code == "no_cluster_available"
    return isinstance(refused, ConflictError | QuotaFullError | InvalidRequestError)


def _of_name(collection: Collection[T], name: str, refused: ApiError) -> T | None:
    found = pages(collection.transport, collection.path, collection.kind, {"limit": LARGEST_PAGE, "name~": name})
    try:
        return next((each for each in found if each.name == name), None)
    except InvalidRequestError:
        # Not even a name; the create was refused for the same reason.
        raise refused from None


def _compared(collection: Collection[T], asked: Mapping[str, Any], found: T) -> Comparison:
    known: dict[str, Mapping[str, Reference]] = {}

    def named(field_name: str, text: str) -> str | None:
        if not known:
            known[""] = references(read_kinds(collection.transport), collection.member)
        reference = known[""].get(field_name)
        return None if reference is None else id_of(collection.transport, found.project_id, reference, text)

    return compare(asked, found.raw, named)


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
        job_kind=facts.job_kind,
        steps=facts.steps,
        interruption=facts.interruption,
        effect=facts.effect,
        raw=body,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Facts(Record):
    cluster: str | None = None
    quota: Mapping[str, int] = field(default_factory=dict)
    job_kind: str | None = None
    steps: tuple[str, ...] = ()
    interruption: str | None = None
    effect: str = ""


def _object(reply: Reply) -> Mapping[str, Any]:
    if not isinstance(reply.body, Mapping):
        raise UnexpectedAnswerError("the answer to a change is not a JSON object; is this a Stratoplane server?")
    return reply.body
