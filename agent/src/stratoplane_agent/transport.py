# SPDX-License-Identifier: Apache-2.0
"""HTTP to the control plane: persistent connections, time-outs, and errors sorted by what the caller does next.

urllib3 and not httpx: on the same keep-alive loopback connection a request cost 0.21 ms of processor time against
0.49 ms, and the import 12 MB against 21 MB of memory. Every operation needs requests, so that matters.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.util import create_urllib3_context

from stratoplane.signatures import BadSignatureError
from stratoplane_agent.identity import Identity

VERSION: Final = version("stratoplane-agent")
_CONNECTIONS: Final = 4
_CONNECT_SECONDS: Final = 5.0
_LATER: Final = frozenset({408, 425, 429, 502, 503, 504})
_DENIED: Final = frozenset({401, 403})
_OK: Final = range(200, 300)


class ControlPlaneError(Exception):
    """The control plane gave no usable answer."""


class UnreachableControlPlaneError(ControlPlaneError):
    """No answer, or one that says "later"; the caller repeats the request, after ``retry_after`` seconds if given."""

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after: Final = retry_after


class ForgedAnswerError(UnreachableControlPlaneError):
    """An answer that the control plane did not sign for this request: it is discarded and the request repeated."""


class RefusedByControlPlaneError(ControlPlaneError):
    """An answer that the same request would get again; the caller changes the request or reports the text."""

    def __init__(self, detail: str, *, status: int, code: str) -> None:
        super().__init__(detail)
        self.status: Final = status
        self.code: Final = code


class CredentialRefusedError(RefusedByControlPlaneError):
    """The control plane does not know this agent, or no longer; an operator enrols it again."""


class _Open(Protocol):
    """The method that urllib3's pools and proxy managers share."""

    def __call__(self, method: str, url: str, *args: Any, **options: Any) -> urllib3.BaseHTTPResponse: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """How to reach the control plane: certificates to trust and a proxy, both optional.

    Attributes:
        certificate_pin: SHA-256 (hexadecimal) that the certificate must have in addition; empty for any trusted one.
    """

    ca_file: Path | None = None
    proxy: str = ""
    certificate_pin: str = ""


class Transport:
    """JSON requests to one control plane; threads share it."""

    def __init__(self, url: str, identity: Identity, route: Route | None = None) -> None:
        """Prepare the connections without opening one.

        Args:
            url: of the control plane, without the API's path.
            identity: proves each request.
            route: certificates and proxy.
        """
        self.url: Final = url.rstrip("/")
        self._identity: Final = identity
        self._lock: Final = threading.Lock()
        self._open, self._prefix = _opener(self.url, route or Route())

    def post(self, path: str, body: bytes, *, seconds: float) -> object:
        """Send ``body`` (JSON) and return the answer's JSON document, None without content.

        A persistent connection that the other side has closed is replaced at once; a refused credential is renewed
        once if the identity has another.

        Args:
            path: below the control plane's URL, with the slash.
            body: encoded JSON.
            seconds: how long the answer may take.

        Raises:
            UnreachableControlPlaneError: repeat later.
            CredentialRefusedError: enrol again.
            RefusedByControlPlaneError: do not repeat this request.
        """
        try:
            return self._exchange(path, body, seconds)
        except CredentialRefusedError:
            with self._lock:
                renewed = self._identity.renew()
            if not renewed:
                raise
        return self._exchange(path, body, seconds)

    def post_once(self, path: str, body: bytes, *, seconds: float) -> object:
        """Like :meth:`post`, but never send the request twice."""
        return self._read(*self._send(path, body, seconds))

    def _exchange(self, path: str, body: bytes, seconds: float) -> object:
        try:
            return self._read(*self._send(path, body, seconds))
        except UnreachableControlPlaneError as error:
            if not isinstance(error.__cause__, ProtocolError):
                raise
        return self._read(*self._send(path, body, seconds))

    def _send(self, path: str, body: bytes, seconds: float) -> tuple[urllib3.BaseHTTPResponse, Mapping[str, str]]:
        """Send a request; return the answer and the headers that proved the request."""
        proof = self._identity.headers("POST", path, body)
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, application/problem+json",
            "User-Agent": f"stratoplane-agent/{VERSION}",
            **proof,
        }
        try:
            response = self._open(
                "POST",
                self._prefix + path,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=seconds),
                retries=False,
                redirect=False,
            )
        except HTTPError as error:
            raise UnreachableControlPlaneError(f"no answer from {self.url}: {_reason(error)}") from error
        self._identity.heard(response.headers)
        return response, proof

    def _read(self, response: urllib3.BaseHTTPResponse, proof: Mapping[str, str]) -> object:
        if response.status not in _OK:
            raise self._error(response)
        try:
            self._identity.check(response.status, response.data, response.headers, proof)
        except BadSignatureError as error:
            raise ForgedAnswerError(f"the answer of {self.url} is not signed by the control plane: {error}") from error
        if not response.data:
            return None
        try:
            document: object = json.loads(response.data)
        except ValueError as error:
            raise UnreachableControlPlaneError(f"{self.url} sent an answer that is not JSON") from error
        return document

    def _error(self, response: urllib3.BaseHTTPResponse) -> ControlPlaneError:
        problem = _problem(response.data)
        code = str(problem.get("code", ""))
        detail = str(problem.get("detail") or problem.get("title") or "no reason given")
        text = f"{self.url} answered {response.status}{f' {code}' if code else ''}: {detail}"
        if response.status in _LATER:
            return UnreachableControlPlaneError(text, _seconds(response.headers.get("Retry-After", "")))
        if response.status in _DENIED:
            return CredentialRefusedError(text, status=response.status, code=code)
        if target := response.headers.get("Location"):
            text = f"{text}; it points to {target}: set control_plane to the final URL"
        return RefusedByControlPlaneError(text, status=response.status, code=code)


def _opener(url: str, route: Route) -> tuple[_Open, str]:
    """Return the function that sends requests and the URL prefix of its paths.

    Without a proxy, a single pool instead of a pool manager: it costs a quarter less for each request.
    """
    tls: dict[str, Any] = {}
    if url.startswith("https:"):
        context = create_urllib3_context()
        context.load_verify_locations(route.ca_file) if route.ca_file else context.load_default_certs()
        tls = {"ssl_context": context}
        if route.certificate_pin:
            tls["assert_fingerprint"] = route.certificate_pin
    if route.proxy:
        manager = urllib3.ProxyManager(route.proxy, maxsize=_CONNECTIONS, **tls)
        return manager.urlopen, url
    pool = urllib3.connection_from_url(url, maxsize=_CONNECTIONS, **tls)
    return pool.urlopen, urlsplit(url).path


def _problem(data: bytes) -> Mapping[str, object]:
    try:
        document = json.loads(data)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _seconds(text: str) -> float | None:
    return float(text) if text.isdecimal() else None


def _reason(error: HTTPError) -> str:
    """Return the innermost message of urllib3's nested errors, without the object address that some start with."""
    cause = error.__cause__ or error.__context__ or error
    return str(cause.args[-1] if cause.args else cause) or type(cause).__name__
