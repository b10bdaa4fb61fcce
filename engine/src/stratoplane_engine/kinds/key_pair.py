# SPDX-License-Identifier: Apache-2.0
"""Key pairs: public SSH keys for a machine's first user. The platform never sees the private half."""

import base64
import hashlib
import struct
from typing import Final

from stratoplane.quota import Amount, QuotaKey
from stratoplane_engine.kinds.draft import Draft, Gathered, Json, Kind, References, ResourceSnapshot, invalid

# How many fields follow the name of the type in a key's content (RFC 4253, RFC 5656, RFC 8709).
_FIELDS: Final = {
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
}
KEY_TYPES: Final = tuple(_FIELDS)
_FEWEST_WORDS: Final = 2
_LENGTH: Final = struct.Struct(">I")
_ED25519_BYTES: Final = 32


def _references(_body: Json, _present: Json | None) -> References:
    return References()


def fingerprint(public_key: str) -> str:
    """Return the SHA-256 fingerprint as OpenSSH prints it (``SHA256:...``).

    Raises:
        InvalidSpecError: the text is no public key in OpenSSH's one-line form (RFC 4253, section 6.6).
    """
    line = public_key.strip()
    words = line.split()
    if len(words) < _FEWEST_WORDS or words[0] not in KEY_TYPES or not line.isprintable():
        raise invalid("/public_key", f"no public key in one line; it begins with one of {', '.join(KEY_TYPES)}")
    try:
        content = base64.b64decode(words[1], validate=True)
    except ValueError as error:
        raise invalid("/public_key", "the key's second word is no base64") from error
    if not _is_whole(words[0], content):
        raise invalid("/public_key", f"the key's content is not that of a whole {words[0]} key")
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


def _draft(body: Json, _gathered: Gathered) -> Draft:
    public_key = body["public_key"].strip()
    spec = {"public_key": public_key, "fingerprint": fingerprint(public_key)}
    return Draft(spec=spec)


def _redraft(present: Json, _patch: Json, _gathered: Gathered) -> Draft:
    return Draft(spec=present)


def _quota_usage(_spec: Json) -> Amount:
    return {QuotaKey.KEY_PAIRS: 1}


def _driver_spec(_resource: ResourceSnapshot) -> Json:
    return {}


def _describe(spec: Json, _observed: Json) -> Json:
    return {"public_key": spec["public_key"], "fingerprint": spec["fingerprint"]}


KEY_PAIR: Final = Kind(
    name="key_pair",
    interface=None,
    count=QuotaKey.KEY_PAIRS,
    references=_references,
    draft=_draft,
    redraft=_redraft,
    quota_usage=_quota_usage,
    driver_spec=_driver_spec,
    describe=_describe,
)
