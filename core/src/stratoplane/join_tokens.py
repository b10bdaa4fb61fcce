# SPDX-License-Identifier: Apache-2.0
"""Join tokens: a one-use secret for one cluster, with the fingerprints by which the agent recognises the control plane.

The text is ``spt_join_<secret>_<key pin>`` or ``spt_join_<secret>_<key pin>_<certificate pin>``. Only the part before
the first pin is ever sent, and only to a control plane that has proved the pinned key.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from stratoplane.errors import InvalidSpecError

_TEXT: Final = re.compile(r"(spt_join_[A-Za-z0-9-]{1,128})_([0-9a-f]{64})(?:_([0-9a-f]{64}))?")
_SERVER_PROOF: Final = b"stratoplane server proof\n"
_ROTATION_PROOF: Final = b"stratoplane key rotation\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinToken:
    """A join token, which an operator gives to an agent.

    Attributes:
        secret: the one-use part; the database stores its digest only.
        server_pin: SHA-256 of the control plane's public key, hexadecimal.
        certificate_pin: SHA-256 of the control plane's TLS certificate, hexadecimal; empty when none was configured.
    """

    secret: str
    server_pin: str
    certificate_pin: str = ""

    @property
    def text(self) -> str:
        """The token's text."""
        return "_".join(part for part in (self.secret, self.server_pin, self.certificate_pin) if part)


def read_join_token(text: str) -> JoinToken:
    """Return the parts of a token.

    Raises:
        InvalidSpecError: the text is not a join token with a fingerprint; an operator creates another.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise InvalidSpecError(
            "not a valid join token (the control plane's fingerprint is missing); ask an operator for a new one"
        )
    return JoinToken(secret=match[1], server_pin=match[2], certificate_pin=match[3] or "")


def pin_of(public_key: bytes) -> str:
    """Return the fingerprint of a public key or of a certificate (DER)."""
    return hashlib.sha256(public_key).hexdigest()


def server_proof(nonce: str) -> bytes:
    """Return what the control plane signs to prove its key to an agent that asked with ``nonce``."""
    return _SERVER_PROOF + nonce.encode()


def rotation_proof(agent_id: str, generation: int) -> bytes:
    """Return what an agent signs with its next key to prove possession of it."""
    return _ROTATION_PROOF + f"{agent_id}:{generation}".encode()
