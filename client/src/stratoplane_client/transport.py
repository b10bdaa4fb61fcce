# SPDX-License-Identifier: Apache-2.0
"""Calls of the API: JSON both ways, identity, trace and idempotency headers, repetition, problems as exceptions."""

import json
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urlencode

from stratoplane_client.connection import Connection, Received
from stratoplane_client.errors import ApiError, ClientError, UnexpectedAnswerError, api_error
from stratoplane_client.retries import RetryPolicy

VERSION: Final = version("stratoplane-client")
_SAFE: Final = frozenset({"GET", "HEAD"})
_REPEATABLE: Final = frozenset({*_SAFE, "PUT", "DELETE"})
_LONGEST_QUOTE: Final = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One operation to ask for.

    Attributes:
        path: below the server's URL.
        query: parameters; those that are None are left out.
        body: JSON, None for none.
        idempotency_key: names this change; generated when none is given.
        if_match: the entity tag that the object must still have.
        patience: seconds that the server is asked to hold the answer, beyond the ordinary time-out.
        replayed: whether the server answers a repeated change, known by its key, with its first answer.
    """

    method: str
    path: str
    query: Mapping[str, object] = field(default_factory=dict)
    body: object = None
    idempotency_key: str | None = None
    if_match: str | None = None
    patience: float = 0.0
    replayed: bool = False

    @property
    def target(self) -> str:
        """Path and query."""
        asked = {name: _text(value) for name, value in self.query.items() if value is not None}
        return f"{self.path}?{urlencode(asked)}" if asked else self.path


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A successful answer: its JSON (None for an empty body) and its headers, names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """The outcome of one attempt of a call, for observers.

    Attributes:
        number: 1 for the first attempt.
        seconds: that it took.
        status: of the answer, None without one.
        failure: why it did not succeed.
        pause: seconds until the next attempt, None when there is none.
    """

    call: Call
    number: int
    seconds: float
    request_id: str
    status: int | None = None
    failure: ClientError | None = None
    pause: float | None = None


class Transport:
    """Everything that calls to one server share. Threads may share it, too."""

    def __init__(
        self,
        connection: Connection,
        *,
        token: str | None = None,
        timeout: float = 30.0,
        retries: RetryPolicy | None = None,
        trace_id: str | None = None,
        user_agent: str = "",
        observe: Callable[[Attempt], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Keep the settings; nothing is sent yet.

        Args:
            connection: to the server.
            token: proves who calls; None until a login.
            timeout: seconds without data after which a request fails.
            retries: when a failed call is made again.
            trace_id: 32 hexadecimal digits that all calls belong to; a new trace for each call by default.
            user_agent: text before this client's own in ``User-Agent``.
            observe: is called after every attempt.
            sleep: waits; replaced by programs with an event loop of their own.
        """
        self.connection: Final = connection
        self.token = token
        self.sleep: Final = sleep
        self._timeout = timeout
        self._retries = retries or RetryPolicy()
        self._trace_id = trace_id
        self._agent = f"{user_agent} stratoplane-client/{VERSION}".strip()
        self._observe = observe or _ignore

    def send(self, call: Call) -> Reply:
        """Make the call, with retries where they are safe and useful.

        Raises:
            ApiError: the server refused or failed; its class says what to do next.
            ConnectionFailedError: the server was not reached, or its answer was lost.
            UnexpectedAnswerError: the answer is not one of this API.
        """
        headers = self._headers(call)
        repeatable = call.replayed or call.method in _REPEATABLE
        number, spent = 0, 0.0
        while True:
            number += 1
            started = time.monotonic()
            outcome = self._try(call, headers)
            failure = outcome if isinstance(outcome, ClientError) else None
            pause = None
            if failure is not None:
                pause = self._retries.pause(number, failure, repeatable=repeatable, spent=spent)
            self._observe(
                Attempt(
                    call=call,
                    number=number,
                    seconds=time.monotonic() - started,
                    request_id=headers["X-Request-Id"],
                    status=outcome.status if isinstance(outcome, Reply | ApiError) else None,
                    failure=failure,
                    pause=pause,
                )
            )
            if isinstance(outcome, Reply):
                return outcome
            if pause is None:
                raise outcome
            spent += pause
            self.sleep(pause)

    def _try(self, call: Call, headers: Mapping[str, str]) -> Reply | ClientError:
        body = None if call.body is None else json.dumps(call.body, ensure_ascii=False).encode()
        try:
            received = self.connection.exchange(
                call.method, call.target, headers=headers, body=body, timeout=self._timeout + call.patience
            )
            return _read(received)
        except ClientError as error:
            return error

    def _headers(self, call: Call) -> dict[str, str]:
        trace = self._trace_id or secrets.token_hex(16)
        headers = {
            "Accept": "application/json, application/problem+json",
            "User-Agent": self._agent,
            "X-Request-Id": uuid.uuid4().hex,
            "traceparent": f"00-{trace}-{secrets.token_hex(8)}-01",
        }
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if call.method not in _SAFE:
            headers["Idempotency-Key"] = call.idempotency_key or str(uuid.uuid4())
        if call.if_match is not None:
            headers["If-Match"] = call.if_match
        return headers


def _read(received: Received) -> Reply:
    body = _decoded(received)
    if received.status >= HTTPStatus.BAD_REQUEST:
        document = body if isinstance(body, Mapping) else {"detail": _quote(received)}
        raise api_error(received.status, document, retry_after=_retry_after(received.headers.get("retry-after")))
    if received.status >= HTTPStatus.MULTIPLE_CHOICES:
        where = received.headers.get("location", "an unknown location")
        raise UnexpectedAnswerError(f"the server redirects to {where}; use the URL of the Stratoplane server itself")
    if received.body and body is None:
        raise UnexpectedAnswerError(f"the answer is not JSON but {_quote(received)}; is this a Stratoplane server?")
    return Reply(status=received.status, headers=received.headers, body=body)


def _decoded(received: Received) -> Any:
    if "json" not in received.headers.get("content-type", ""):
        return None
    try:
        return json.loads(received.body)
    except ValueError:
        return None


def _quote(received: Received) -> str:
    text = " ".join(received.body[:4096].decode(errors="replace").split())
    return f"HTTP status {received.status}: {text[:_LONGEST_QUOTE] or 'empty'}"


def _retry_after(header: str | None) -> float | None:
    """Return the seconds of a ``Retry-After``; its other form, a date, needs equal clocks and counts as absent."""
    text = (header or "").strip()
    return float(text) if text.isascii() and text.isdigit() else None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ignore(_: Attempt) -> None:
    return
