# SPDX-License-Identifier: Apache-2.0
"""Key pairs: public SSH keys for a machine's first user. The platform never sees the private half."""

import base64
import binascii
import hashlib
from typing import Final

from stratoplane.quota import Amount, QuotaKey
from stratoplane_engine.kinds.draft import Described, Draft, Gathered, Json, Kind, References, invalid

KEY_TYPES: Final = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_FEWEST_WORDS: Final = 2


def _references(_body: Json, _present: Json | None) -> References:
    return References()


def fingerprint(public_key: str) -> str:
    """Return the SHA-256 fingerprint as OpenSSH prints it (``SHA256:...``).

    Raises:
        InvalidSpecError: the text is no public key in OpenSSH's one-line form (RFC 4253, section 6.6).
    """
    words = public_key.split()
    if len(words) < _FEWEST_WORDS or words[0] not in KEY_TYPES or "\n" in public_key.strip():
        raise invalid("/public_key", f"no public key in one line; it begins with one of {', '.join(KEY_TYPES)}")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error as error:
        raise invalid("/public_key", "the key's second word is no base64") from error
    if not blob[4:].startswith(words[0].encode()):
        raise invalid("/public_key", f"the key's content is not of type {words[0]}")
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _draft(body: Json, _gathered: Gathered) -> Draft:
    public_key = body["public_key"].strip()
    spec = {"public_key": public_key, "fingerprint": fingerprint(public_key)}
    return Draft(spec=spec)


def _redraft(present: Json, _patch: Json, _gathered: Gathered) -> Draft:
    return Draft(spec=present)


def _holds(_spec: Json) -> Amount:
    return {QuotaKey.KEY_PAIRS: 1}


def _driver_spec(_resource: Described) -> Json:
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
    holds=_holds,
    driver_spec=_driver_spec,
    describe=_describe,
)
