# SPDX-License-Identifier: Apache-2.0
"""Secrets that people and programs show: passwords and opaque tokens.

A token is ``spt_<prefix>_<secret><check>``: 43 characters of randomness in base 62 (256 bits) and six of a CRC-32, so
that a scanner or a request can tell a mistyped one without asking anybody. The database keeps its SHA-256 only.
"""

import hashlib
import secrets
import threading
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

LONGEST_SECONDS: Final = 1.0
"""How long it is kept at most, in seconds, who a token stands for: what bounds the harm of a lost notification."""
ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH: Final = 43
_CHECK_LENGTH: Final = 6
_HASHES_AT_ONCE: Final = 2
"""A hash takes a core for some 50 ms: more at once would starve the requests beside them."""


class TokenPrefix(StrEnum):
    """What a token is for, as its text tells."""

    SESSION = "ses"
    API = "api"
    JOIN = "join"


@dataclass(frozen=True, kw_only=True, slots=True)
class PasswordCost:
    """What hashing a password by Argon2id costs.

    The defaults are OWASP's minimum (Password Storage Cheat Sheet): 19 MiB, two passes, one lane. Hashes name what
    they were made with, so that a change concerns new passwords only.

    Attributes:
        passes: over the memory.
        memory_kib: memory that one hash takes, KiB.
        lanes: how many threads one hash takes.
    """

    passes: int = 2
    memory_kib: int = 19 * 1024
    lanes: int = 1


class PasswordHasher:
    """Hashes and checks passwords, few at a time. One object serves a process."""

    def __init__(self, cost: PasswordCost | None = None) -> None:
        """Hash at ``cost``, OWASP's minimum when none is given."""
        chosen = cost or PasswordCost()
        self._argon2: Final = argon2.PasswordHasher(
            time_cost=chosen.passes, memory_cost=chosen.memory_kib, parallelism=chosen.lanes
        )
        self._turns: Final = threading.BoundedSemaphore(_HASHES_AT_ONCE)
        self._nobody: Final = self._argon2.hash(secrets.token_urlsafe(16))

    def hash(self, password: str) -> str:
        """Return what the database keeps of a password."""
        with self._turns:
            return self._argon2.hash(password)

    def matches(self, password_hash: str | None, password: str) -> bool:
        """Tell whether ``password`` is the one; without a hash the same time is spent and the answer is no."""
        with self._turns:
            try:
                self._argon2.verify(password_hash or self._nobody, password)
            except (VerificationError, InvalidHashError):
                return False
        return bool(password_hash)


def new_password() -> str:
    """Return a password for a person to keep in a safe place (about 143 bits)."""
    return "".join(secrets.choice(ALPHABET) for _ in range(24))


def new_token(prefix: TokenPrefix) -> str:
    """Return a new token."""
    secret = "".join(secrets.choice(ALPHABET) for _ in range(_SECRET_LENGTH))
    return f"spt_{prefix}_{secret}{_check(f'spt_{prefix}_{secret}')}"


def is_token(text: str) -> bool:
    """Tell whether ``text`` has a token's form and its check is right."""
    parts = text.split("_")
    if len(parts) != 3 or parts[0] != "spt" or len(parts[2]) != _SECRET_LENGTH + _CHECK_LENGTH:  # noqa: PLR2004  # spt, prefix, rest
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
