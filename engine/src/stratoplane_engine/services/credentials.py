# SPDX-License-Identifier: Apache-2.0
"""Secrets that people and programs show: passwords and opaque tokens.

A token is ``spt_<kind>_<secret><check>``: 43 characters of randomness in base 62 (256 bits) and six of a CRC-32, so
that a scanner or a request can tell a mistyped one without asking anybody. The database keeps its SHA-256 only.
"""

import hashlib
import secrets
import threading
import zlib
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH: Final = 43
_CHECK_LENGTH: Final = 6
# OWASP's recommendation for Argon2id: 19 MiB, two passes, one lane.
_hasher: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# A hash takes a core for some 50 ms: more than two at once would starve the requests beside them.
_hashing: Final = threading.BoundedSemaphore(2)
_NOBODY: Final = _hasher.hash(secrets.token_urlsafe(16))


def hash_password(password: str) -> str:
    """Return what the database keeps of a password."""
    with _hashing:
        return _hasher.hash(password)


def password_matches(password_hash: str | None, password: str) -> bool:
    """Tell whether ``password`` is the one; without a hash the same time is spent and the answer is no."""
    with _hashing:
        try:
            _hasher.verify(password_hash or _NOBODY, password)
        except (VerificationError, InvalidHashError):
            return False
    return bool(password_hash)


def new_password() -> str:
    """Return a password for a person to keep in a safe place (about 143 bits)."""
    return "".join(secrets.choice(ALPHABET) for _ in range(24))


def new_token(kind: str) -> str:
    """Return a new token of a kind (``ses``, ``api``, ``join``)."""
    secret = "".join(secrets.choice(ALPHABET) for _ in range(_SECRET_LENGTH))
    return f"spt_{kind}_{secret}{_check(f'spt_{kind}_{secret}')}"


def is_token(text: str) -> bool:
    """Tell whether ``text`` has a token's form and its check is right."""
    words = text.split("_")
    if len(words) != 3 or words[0] != "spt" or len(words[2]) != _SECRET_LENGTH + _CHECK_LENGTH:  # noqa: PLR2004  # spt, kind, rest
        return False
    return text[-_CHECK_LENGTH:] == _check(text[:-_CHECK_LENGTH])


def token_hash(token: str) -> str:
    """Return what the database keeps of a token: SHA-256 suffices, there is nothing to guess in 256 bits."""
    return hashlib.sha256(token.encode()).hexdigest()


def _check(text: str) -> str:
    rest, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECK_LENGTH):
        rest, digit = divmod(rest, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
