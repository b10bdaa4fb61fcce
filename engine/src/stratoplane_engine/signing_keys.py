# SPDX-License-Identifier: Apache-2.0
"""Ed25519 keys as text: 32 bytes in base64, as agents and the control plane exchange and keep them."""

import base64
import binascii
import functools
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_LENGTH: Final = 32


def new_private_key() -> str:
    """Return a new private key."""
    return base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


def public_key_of(private_key: str) -> str:
    """Return the public half of a private key."""
    return base64.b64encode(_private(private_key).public_key().public_bytes_raw()).decode()


def raw_key(key: str) -> bytes | None:
    """Return the bytes of a key's text, None if it is not a key."""
    try:
        raw = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == _LENGTH else None


def sign(private_key: str, message: bytes) -> bytes:
    """Return the signature of ``message``."""
    return _private(private_key).sign(message)


def verifies(public_key: str, signature: bytes, message: bytes) -> bool:
    """Tell whether ``signature`` is the key's for ``message``; a text that is not a key verifies nothing."""
    raw = raw_key(public_key)
    if raw is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@functools.lru_cache(maxsize=4)
def _private(private_key: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(private_key))
