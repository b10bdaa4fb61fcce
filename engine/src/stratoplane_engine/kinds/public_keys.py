# SPDX-License-Identifier: Apache-2.0
"""Public SSH keys as OpenSSH writes them: one line with the type's name, the content in base64, and a comment.

What is kept here ends in a guest's ``authorized_keys``, where OpenSSH ignores a line that it cannot read: a key that it
refuses would be a machine that nobody can log in to.
"""

import base64
import hashlib
import re
import struct
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from stratoplane.errors import InvalidSpecError
from stratoplane.kinds import invalid
from stratoplane.texts import size_in_bytes, unfit_for_a_line

LARGEST_KEY: Final = 8 * 1024
"""Bytes of the whole line; an RSA key of the most bits that OpenSSH takes has a third of it."""
SMALLEST_RSA_BITS: Final = 1024
LARGEST_RSA_BITS: Final = 16_384
"""OpenSSH's own limits (SSH_RSA_MINIMUM_MODULUS_SIZE, SSHBUF_MAX_BIGNUM)."""
_PLAIN: Final = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_SECURITY_KEYS: Final = {
    "sk-ssh-ed25519@openssh.com": "ssh-ed25519",
    "sk-ecdsa-sha2-nistp256@openssh.com": "ecdsa-sha2-nistp256",
}
"""Types of FIDO keys (OpenSSH's PROTOCOL.u2f), each with the type of the key inside."""
KEY_TYPES: Final = (*_PLAIN, *_SECURITY_KEYS)
_LINE: Final = re.compile(r"([^ ]+) +([^ ]+)(?: .*)?")
_LENGTH: Final = struct.Struct(">I")


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicKey:
    """A public key: its line without what stands around it, and its fingerprint as OpenSSH prints it."""

    line: str
    fingerprint: str


def read_public_key(text: str) -> PublicKey:
    """Return the key of ``text``; an end of line around it is taken away.

    Raises:
        InvalidSpecError: OpenSSH would not read it as a public key in one line (RFC 4253, section 6.6).
    """
    line = text.strip(" \t\r\n")
    match = _LINE.fullmatch(line)
    if match is None or match[1] not in KEY_TYPES or unfit_for_a_line(line):
        raise _wrong(f"is not a public key in one line; it begins with one of {', '.join(KEY_TYPES)}")
    if size_in_bytes(line) > LARGEST_KEY:
        raise _wrong(f"is longer than {LARGEST_KEY} bytes")
    content = _decode(match[2])
    _check(match[1], content)
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    return PublicKey(line=line, fingerprint=f"SHA256:{digest}")


def _decode(word: str) -> bytes:
    try:
        content = base64.b64decode(word, validate=True)
    except ValueError as error:
        raise _wrong("the key's second word is not base64") from error
    # Python takes a sign of padding too many; OpenSSH does not.
    if base64.b64encode(content).decode() != word:
        raise _wrong("the key's second word is not base64 in its one form")
    return content


def _check(key_type: str, content: bytes) -> None:
    inner = _SECURITY_KEYS.get(key_type)
    plain = (key_type, content) if inner is None else (inner, _inside(key_type, inner, content))
    words = f"the key's content is not that of a valid {key_type} key"
    try:
        key = load_ssh_public_key(f"{plain[0]} {base64.b64encode(plain[1]).decode()}".encode())
    except (ValueError, UnsupportedAlgorithm, NotImplementedError) as error:  # the last for a point in short form
        raise _wrong(words) from error
    if isinstance(key, RSAPublicKey) and not SMALLEST_RSA_BITS <= key.key_size <= LARGEST_RSA_BITS:
        raise _wrong(f"an RSA key has {SMALLEST_RSA_BITS} to {LARGEST_RSA_BITS} bits; this one has {key.key_size}")


def _inside(key_type: str, inner: str, content: bytes) -> bytes:
    """Return the content of the plain key within a FIDO key: all but the application, which is the last field."""
    fields = _fields(content)
    if not fields or fields[0] != key_type.encode() or b"\x00" in fields[-1]:
        raise _wrong(f"the key's content is not that of a valid {key_type} key")
    return b"".join(_LENGTH.pack(len(field)) + field for field in (inner.encode(), *fields[1:-1]))


def _fields(content: bytes) -> list[bytes]:
    """Return the fields of a key's content, each of which has its length before it; nothing if one is cut off."""
    fields, rest = list[bytes](), content
    while rest:
        if len(rest) < _LENGTH.size:
            return []
        (length,) = _LENGTH.unpack_from(rest)
        field, rest = rest[_LENGTH.size : _LENGTH.size + length], rest[_LENGTH.size + length :]
        if len(field) != length:
            return []
        fields.append(field)
    return fields


def _wrong(detail: str) -> InvalidSpecError:
    return invalid("/public_key", detail)
