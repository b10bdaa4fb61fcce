# SPDX-License-Identifier: Apache-2.0
"""The webhook: a notification as JSON, signed by the Standard Webhooks specification, posted to every URL.

``standardwebhooks``, the library of the specification's authors, makes the signature. httpcore alone sends the
request: it follows no redirects and reads no proxies from the environment, and its network can be replaced
(see :mod:`stratoplane_webhook.egress`).
"""

import base64
import binascii
import contextlib
import ipaddress
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import ClassVar, Final
from urllib.parse import urlsplit

import httpcore
from standardwebhooks import Webhook

from stratoplane.errors import PermanentError, TransientError
from stratoplane.hookspecs import Notification, hookimpl
from stratoplane.settings import Secret, setting
from stratoplane_webhook.egress import CheckedNetwork, Network, Resolver, resolve

_DELIVERED: Final = range(200, 300)
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses of a receiver that may accept the same request later."""
_LONGEST_TIMEOUT: Final = 60.0
_LONGEST_CALL: Final = 100.0
"""Seconds; after two minutes the engine lets another process repeat the call."""
_LONGEST_WAIT: Final = 86_400.0
_LONGEST_ANSWER: Final = 500
_KEY_BYTES: Final = range(24, 65)
_PREFIX: Final = "whsec_"


@dataclass(frozen=True, kw_only=True)
class WebhookSettings:
    """Settings of the webhook plugin."""

    urls: tuple[str, ...] = setting(
        MISSING,
        help="URLs that notifications are posted to, such as https://..., separated by commas",
        env="STRATOPLANE_WEBHOOK_URLS",
    )
    secret: Secret = setting(  # noqa: RUF009  # makes a dataclass field
        MISSING,
        help="key of the signature, whsec_ and 24 to 64 bytes in base64; two with a space between during a rotation",
        env="STRATOPLANE_WEBHOOK_SECRET",
        secret=True,
    )
    timeout_seconds: float = setting(
        10.0, help="seconds that one request may take", env="STRATOPLANE_WEBHOOK_TIMEOUT_SECONDS"
    )
    allowed_networks: tuple[str, ...] = setting(
        (),
        help="private networks that may be reached, such as 10.1.0.0/16,fd00:1::/64",
        env="STRATOPLANE_WEBHOOK_ALLOWED_NETWORKS",
    )
    allow_http: bool = setting(
        False,
        help="whether URLs may be http://, which is not encrypted",
        env="STRATOPLANE_WEBHOOK_ALLOW_HTTP",
    )

    def __post_init__(self) -> None:
        if not self.urls:
            raise ValueError("urls: at least one is required")
        for url in self.urls:
            _check_url(url, allow_http=self.allow_http)
        if not self.secret.split() or not all(map(_is_key, self.secret.split())):
            raise ValueError(f"secret: must be {_PREFIX} and 24 to 64 bytes in base64")
        if not 0 < self.timeout_seconds <= _LONGEST_TIMEOUT:
            raise ValueError("timeout_seconds: must be more than 0 and at most 60")
        if self.timeout_seconds * len(self.urls) > _LONGEST_CALL:
            raise ValueError(f"timeout_seconds: all URLs together may take {_LONGEST_CALL:.0f} seconds at most")
        for network in self.allowed_networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise ValueError(f"allowed_networks: {error}") from error


def _check_url(url: str, *, allow_http: bool) -> None:
    # The same parser makes the request, so the URL that is checked is the URL that is reached.
    if not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        raise ValueError("urls: a URL is made of visible ASCII characters without backslash; write names in punycode")
    parts = urlsplit(url)
    if parts.scheme not in ({"https", "http"} if allow_http else {"https"}):
        raise ValueError(f"urls: {_place(url)} must begin with https:// (or with http:// when allow_http is set)")
    if "@" in parts.netloc:
        raise ValueError("urls: a URL with a user name or password is refused")
    if not parts.hostname or parts.port == 0:
        raise ValueError(f"urls: {_place(url)} has no host or port that can be reached")


def _place(url: str) -> str:
    """Return the part of a URL that may be shown: paths and queries of webhooks often are secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _is_key(secret: str) -> bool:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return secret.startswith(_PREFIX) and len(key) in _KEY_BYTES


class WebhookPlugin:
    """Posts notifications of incidents to the operator's URLs."""

    Settings: ClassVar = WebhookSettings

    def __init__(self, settings: WebhookSettings, *, resolver: Resolver = resolve) -> None:
        self._settings: Final = settings
        self._resolver: Final = resolver
        self._signers: Final = [Webhook(str(secret)) for secret in settings.secret.split()]
        self._allowed: Final[list[Network]] = [ipaddress.ip_network(each) for each in settings.allowed_networks]
        # The system's certificates, or those that SSL_CERT_FILE names.
        self._tls: Final = ssl.create_default_context()

    @hookimpl
    def stratoplane_notify(self, notification: Notification) -> None:
        """Post the notification to each URL; a failure does not affect the others.

        Raises:
            TransientError: one may accept it later; all get it again, with the same ``webhook-id``.
            PermanentError: one refused it, and none may accept it later.
        """
        body = json.dumps(document(notification), separators=(",", ":"))
        failures = [failure for url in self._settings.urls if (failure := self._attempt(url, notification, body))]
        if not failures:
            return
        text = "; ".join(failure.detail for failure in failures)
        again = [failure for failure in failures if isinstance(failure, TransientError)]
        if not again:
            raise PermanentError(text) from failures[0]
        waits = [failure.retry_after for failure in again if failure.retry_after is not None]
        raise TransientError(text, retry_after=max(waits, default=None)) from again[0]

    def _attempt(self, url: str, notification: Notification, body: str) -> TransientError | PermanentError | None:
        try:
            self._post(url, self._headers(url, notification, body), body.encode())
        except (TransientError, PermanentError) as failure:
            return failure
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.RemoteProtocolError) as error:
            return TransientError(f"{_place(url)} cannot be reached: {type(error).__name__}: {error}")
        return None

    def _headers(self, url: str, notification: Notification, body: str) -> dict[bytes | str, bytes | str]:
        now = datetime.now(tz=UTC)
        signatures = [each.sign(str(notification.id), now, body) for each in self._signers]
        return {
            "Host": urlsplit(url).netloc,
            "Content-Type": "application/json",
            "User-Agent": "stratoplane-webhook",
            "webhook-id": str(notification.id),
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }

    def _post(self, url: str, headers: dict[bytes | str, bytes | str], body: bytes) -> None:
        seconds = self._settings.timeout_seconds
        network = CheckedNetwork(allowed=self._allowed, seconds=seconds, resolver=self._resolver)
        with (
            httpcore.ConnectionPool(network_backend=network, ssl_context=self._tls) as pool,
            pool.stream("POST", _target(url), headers=headers, content=body) as response,
        ):
            if response.status in _DELIVERED:
                return
            text = f"{_place(url)} answered {response.status}: {_beginning(response)}".rstrip(": ")
            if response.status in _AGAIN:
                raise TransientError(text, retry_after=_retry_after(response))
            raise PermanentError(text)


def _target(url: str) -> httpcore.URL:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return httpcore.URL(scheme=parts.scheme, host=parts.hostname or "", port=parts.port, target=target)


def _beginning(response: httpcore.Response) -> str:
    """Return the beginning of a refusal's text, without waiting for the rest."""
    answer = b""
    with contextlib.suppress(httpcore.TimeoutException, httpcore.NetworkError, httpcore.RemoteProtocolError):
        for part in response.iter_stream():
            answer += part[: _LONGEST_ANSWER - len(answer)]
            if len(answer) >= _LONGEST_ANSWER:
                break
    return "".join(sign if sign.isprintable() else " " for sign in answer.decode(errors="replace")).strip()


def _retry_after(response: httpcore.Response) -> float | None:
    """Return the seconds of a Retry-After header, a number or a date, at most a day; None without a usable one."""
    text = next((value for name, value in response.headers if name.lower() == b"retry-after"), b"").decode("latin-1")
    if re.fullmatch(r"[0-9]{1,9}", text):
        return min(float(text), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((aware - datetime.now(tz=UTC)).total_seconds(), 0.0), _LONGEST_WAIT)


def document(notification: Notification) -> Mapping[str, object]:
    """Return the body of the request: the type, timestamp and data that the specification proposes."""
    ids = {
        name: str(value) if value else None
        for name, value in (
            ("organization_id", notification.organization_id),
            ("cluster_id", notification.cluster_id),
            ("resource_id", notification.resource_id),
        )
    }
    return {
        "type": f"incident.{notification.event}",
        "timestamp": notification.occurred_at,
        "data": {
            "incident_id": str(notification.incident_id),
            "kind": notification.kind,
            "severity": notification.severity,
            "status": notification.status,
            "title": notification.title,
            "escalation": notification.escalation,
            "assignee": notification.assignee,
            **ids,
            "detail": dict(notification.detail),
        },
    }
