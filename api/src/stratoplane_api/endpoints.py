# SPDX-License-Identifier: Apache-2.0
"""What an operation declares about itself: access, content, answers. The gateway and the OpenAPI document read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from stratoplane_api.schemas.queries import NoQuery
from stratoplane_api.schemas.strict import Answer, Request
from stratoplane_engine.access.permissions import Permission

SMALL_BODY: Final = 256 * 1024
"""Bytes that most operations take as a body."""
LARGEST_BODY: Final = 1024 * 1024
"""Bytes that any operation takes."""

MOST_SWALLOWED: Final = 8 * 1024 * 1024
"""Bytes that are read of a body that is refused: a connection closed before loses the answer."""


class Gate(StrEnum):
    """Who may call an operation that no permission guards."""

    PUBLIC = "public"
    """Anybody; no credential is looked at."""
    AGENT = "agent"
    """The agent of a cluster, by its own credential."""


class Feature(StrEnum):
    """What an operation understands beside its content; each documents its headers."""

    IDEMPOTENT = "idempotent"
    """Takes ``Idempotency-Key``."""
    VERSIONED = "versioned"
    """Answers with ``ETag``; reads ``If-None-Match`` or ``If-Match``."""
    DEFERRED = "deferred"
    """Answers 202 with a job and its ``Location``; takes ``Prefer: wait``."""
    PAGED = "paged"
    """Answers with one page and ``Link: rel="next"``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One method of one path.

    Attributes:
        id: the hand-set ``operationId``; clients are generated with it, so it never changes.
        path: below the namespace; ``<id:name>`` stands for an id.
        access: the permission that the caller needs, or who else may call.
        success: status of the ordinary answer.
        answer: its content, None for an empty one.
        plan: content of the answer 200 to ``?dry_run=true``.
        body: content of the request, None when it takes none.
        example: an answer, ``body_example`` a request, as JSON values.
        tag: the noun under which the document lists it.
        is_counted: whether the rate limit counts it; not what load balancers ask, which must not depend on the count.
        changes_access: whether it may change what some token stands for, so that nothing kept of tokens is valid.
    """

    id: str
    method: str
    path: str
    access: Permission | Gate
    summary: str
    tag: str
    description: str = ""
    success: int = 200
    answer: type[Answer] | None = None
    plan: type[Answer] | None = None
    body: type[Request] | None = None
    body_limit: int = SMALL_BODY
    query: type[Request] = NoQuery
    features: frozenset[Feature] = frozenset()
    example: Mapping[str, object] | Sequence[object] | None = None
    body_example: Mapping[str, object] | None = None
    errors: Sequence[int] = field(default=())
    is_counted: bool = True
    changes_access: bool = False

    @property
    def changes(self) -> bool:
        """Whether calling it may change something."""
        return self.method not in {"GET", "HEAD"}

    @property
    def permission(self) -> Permission | None:
        """The permission that guards it, None when a gate does."""
        return self.access if isinstance(self.access, Permission) else None
