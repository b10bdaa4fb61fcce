# SPDX-License-Identifier: Apache-2.0
"""Key pairs: public SSH keys for a machine's first user. The platform never sees the private half."""

import base64
import hashlib
import struct
from dataclasses import dataclass
from typing import Final

from stratoplane.kinds import (
    Draft,
    Kind,
    References,
    ResolvedReferences,
    ResourcePatch,
    ResourceRequest,
    Spec,
    invalid,
)
from stratoplane.quota import DEFAULT_LIMITS, Amount, QuotaKey

# How many fields follow the name of the type in a key's content (RFC 4253, RFC 5656, RFC 8709).
_FIELDS: Final = {
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
}
KEY_TYPES: Final = tuple(_FIELDS)
_FEWEST_PARTS: Final = 2
_LENGTH: Final = struct.Struct(">I")
_ED25519_BYTES: Final = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyPairSpec(Spec):
    """A public key as it is kept: one line of OpenSSH, and its SHA-256 fingerprint."""

    public_key: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyPairRequest(ResourceRequest):
    """A public key to keep, in OpenSSH's one-line form."""

    public_key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyPairPatch(ResourcePatch):
    """What may change of a key pair."""


class KeyPairKind(Kind[KeyPairSpec, KeyPairRequest, KeyPairPatch]):
    """Key pairs."""

    name = "key_pair"
    interface = None
    quota_key = QuotaKey.KEY_PAIRS
    default_limit = DEFAULT_LIMITS[QuotaKey.KEY_PAIRS]
    spec = KeyPairSpec
    request = KeyPairRequest
    patch = KeyPairPatch

    def references(self, wanted: KeyPairRequest | KeyPairPatch) -> References:  # noqa: ARG002
        return References()

    def draft(self, wanted: KeyPairRequest, found: ResolvedReferences) -> Draft[KeyPairSpec]:  # noqa: ARG002
        public_key = wanted.public_key.strip()
        return Draft(spec=KeyPairSpec(public_key=public_key, fingerprint=fingerprint(public_key)))

    def redraft(self, present: KeyPairSpec, change: KeyPairPatch, found: ResolvedReferences) -> Draft[KeyPairSpec]:  # noqa: ARG002
        return Draft(spec=present)

    def quota_usage(self, spec: KeyPairSpec) -> Amount:  # noqa: ARG002
        return {QuotaKey.KEY_PAIRS: 1}


def fingerprint(public_key: str) -> str:
    """Return the SHA-256 fingerprint as OpenSSH prints it (``SHA256:...``).

    Raises:
        InvalidSpecError: the text is not a public key in OpenSSH's one-line form (RFC 4253, section 6.6).
    """
    line = public_key.strip()
    parts = line.split()
    if len(parts) < _FEWEST_PARTS or parts[0] not in KEY_TYPES or not line.isprintable():
        raise invalid("/public_key", f"is not a public key in one line; it begins with one of {', '.join(KEY_TYPES)}")
    try:
        content = base64.b64decode(parts[1], validate=True)
    except ValueError as error:
        raise invalid("/public_key", "the key's second word is not base64") from error
    if not _is_whole(parts[0], content):
        raise invalid("/public_key", f"the key's content is not that of a whole {parts[0]} key")
    return "SHA256:" + base64.b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def _is_whole(key_type: str, content: bytes) -> bool:
    """Tell whether ``content`` is the type's name and its fields, each with its length before it, and no more."""
    fields, rest = list[bytes](), content
    while len(rest) >= _LENGTH.size:
        (length,) = _LENGTH.unpack_from(rest)
        fields.append(rest[_LENGTH.size : _LENGTH.size + length])
        rest = rest[_LENGTH.size + length :]
        if len(fields[-1]) != length:
            return False
    if rest or [key_type.encode(), *fields[1:]] != fields or len(fields) != 1 + _FIELDS[key_type]:
        return False
    return key_type != "ssh-ed25519" or len(fields[1]) == _ED25519_BYTES
