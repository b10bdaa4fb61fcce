# SPDX-License-Identifier: Apache-2.0
"""How agents' requests and the answers to them are signed: one fixed profile of RFC 9421 with digests of RFC 9530.

A request covers method, path, query and digest of the body, with the time, a nonce and the key's id. An answer covers
its status, the digest of its body and the request's signature, so that it is valid for that one request only. Nothing
is negotiated: whatever is signed in another way is refused. The caller does the signing; nothing here holds keys.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

WINDOW_SECONDS: Final = 60
"""How many seconds the time of a request may differ from the control plane's clock, either way."""
_TAG: Final = "stratoplane-agent"
_REQUEST_PARTS: Final = '("@method" "@path" "@query" "content-digest")'
_ANSWER_PARTS: Final = '("@status" "content-digest" "signature";req;key="sp")'
_KEY_ID: Final = r"[A-Za-z0-9:_-]{1,128}"
_INPUT: Final = re.compile(
    rf'sp={re.escape(_REQUEST_PARTS)};created=(\d{{1,12}});nonce="([A-Za-z0-9_-]{{16,64}})";keyid="({_KEY_ID})"'
    rf';alg="ed25519";tag="{_TAG}"'
)
_ANSWER_INPUT: Final = re.compile(rf'sp={re.escape(_ANSWER_PARTS)};keyid="({_KEY_ID})";alg="ed25519";tag="{_TAG}"')
_DIGEST: Final = re.compile(r"sha-256=:[A-Za-z0-9+/]{43}=:")
_SIGNATURE: Final = re.compile(r"sp=:([A-Za-z0-9+/]{86}==):")

Sign = Callable[[bytes], bytes]
"""Signs bytes with a private Ed25519 key; returns 64 bytes."""
Verify = Callable[[bytes, bytes], bool]
"""Tells whether a signature (first) is one of the bytes (second)."""


class Headers(Protocol):
    """Headers of a message, as HTTP libraries have them; names are case-insensitive."""

    def get(self, key: str, default: str, /) -> str:
        """Return the value of a header."""


class BadSignatureError(ValueError):
    """A message is not signed correctly; the text says what is wrong, and never what would be right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """The signed parts of a request besides its body: ``query`` without the question mark."""

    method: str
    path: str
    query: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """A request's signature as received; ``base`` is what :attr:`signature` must sign.

    Attributes:
        created: seconds since 1970 by the sender's clock.
        nonce: used once by this key.
        key_id: names the key.
    """

    created: int
    nonce: str
    key_id: str
    signature: bytes
    base: bytes


def content_digest(body: bytes) -> str:
    """Return the value of ``Content-Digest`` for a body."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def sign_request(message: Message, body: bytes, *, key_id: str, created: int, sign: Sign) -> Mapping[str, str]:
    """Return the headers that prove who sends a request; each call uses a new nonce."""
    digest = content_digest(body)
    parameters = _parameters(created, secrets.token_urlsafe(18), key_id)
    signature = base64.b64encode(sign(_request_base(message, digest, parameters))).decode()
    return {"Content-Digest": digest, "Signature-Input": f"sp={parameters}", "Signature": f"sp=:{signature}:"}


def read_request(message: Message, headers: Headers) -> Signed:
    """Return the signature of a request before its body is read; :func:`check_body` follows.

    Raises:
        BadSignatureError: it is not signed, or not in this profile.
    """
    match = _INPUT.fullmatch(headers.get("Signature-Input", ""))
    digest = headers.get("Content-Digest", "")
    if match is None or _DIGEST.fullmatch(digest) is None:
        raise BadSignatureError(
            "the request is not signed as the agent protocol requires (Signature-Input, Content-Digest)"
        )
    created, nonce, key_id = int(match[1]), match[2], match[3]
    base = _request_base(message, digest, _parameters(created, nonce, key_id))
    return Signed(created=created, nonce=nonce, key_id=key_id, signature=_signature(headers), base=base)


def check_body(body: bytes, headers: Headers) -> None:
    """Raise BadSignatureError unless the body is the one whose digest was signed."""
    if headers.get("Content-Digest", "") != content_digest(body):
        raise BadSignatureError("the body differs from the signed one (Content-Digest)")


def sign_answer(status: int, body: bytes, request_headers: Headers, *, key_id: str, sign: Sign) -> Mapping[str, str]:
    """Return the headers that prove that an answer is the control plane's, and to which request."""
    digest = content_digest(body)
    parameters = f'{_ANSWER_PARTS};keyid="{key_id}";alg="ed25519";tag="{_TAG}"'
    signature = base64.b64encode(sign(_answer_base(status, digest, _signature(request_headers), parameters))).decode()
    return {"Content-Digest": digest, "Signature-Input": f"sp={parameters}", "Signature": f"sp=:{signature}:"}


def check_answer(status: int, body: bytes, headers: Headers, request_headers: Headers, verify: Verify) -> None:
    """Raise BadSignatureError unless an answer is the control plane's to this very request."""
    match = _ANSWER_INPUT.fullmatch(headers.get("Signature-Input", ""))
    if match is None:
        raise BadSignatureError("the answer is not signed by the control plane")
    check_body(body, headers)
    base = _answer_base(
        status,
        headers.get("Content-Digest", ""),
        _signature(request_headers),
        headers.get("Signature-Input", "").removeprefix("sp="),
    )
    if not verify(_signature(headers), base):
        raise BadSignatureError("the answer is not signed by the control plane for this request")


def _parameters(created: int, nonce: str, key_id: str) -> str:
    return f'{_REQUEST_PARTS};created={created};nonce="{nonce}";keyid="{key_id}";alg="ed25519";tag="{_TAG}"'


def _request_base(message: Message, digest: str, parameters: str) -> bytes:
    return (
        f'"@method": {message.method}\n"@path": {message.path}\n"@query": ?{message.query}\n'
        f'"content-digest": {digest}\n"@signature-params": {parameters}'
    ).encode()


def _answer_base(status: int, digest: str, request_signature: bytes, parameters: str) -> bytes:
    return (
        f'"@status": {status}\n"content-digest": {digest}\n'
        f'"signature";req;key="sp": :{base64.b64encode(request_signature).decode()}:\n"@signature-params": {parameters}'
    ).encode()


def _signature(headers: Headers) -> bytes:
    match = _SIGNATURE.fullmatch(headers.get("Signature", ""))
    if match is None:
        raise BadSignatureError("the signature cannot be read (Signature)")
    return base64.b64decode(match[1])
