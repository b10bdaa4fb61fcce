# SPDX-License-Identifier: Apache-2.0
"""Signed statements about the audit trail: how many events it has, and the hash of all of them.

Their text is a checkpoint (https://c2sp.org/tlog-checkpoint) in a signed note (https://c2sp.org/signed-note), so that
witnesses and verifiers which others wrote can read it. The key is the installation's, the one that agents pin.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self
from uuid import UUID

from stratoplane_engine import signing_keys as keys
from stratoplane_engine.audit_trail.merkle import HASH_BYTES

_ED25519: Final = b"\x01"
_KEY_ID_BYTES: Final = 4
_LINES: Final = 4
_SIGNATURE_LINE: Final = "\N{EM DASH} "


class InvalidCheckpointError(ValueError):
    """The text is not a valid checkpoint; its message says why."""


def origin_of(installation_id: UUID) -> str:
    """Return the name under which an installation signs."""
    return f"stratoplane/{installation_id}/audit"


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """What is signed.

    Attributes:
        origin: whose trail it is.
        size: how many events it has.
        root: their hash, 32 bytes.
        sealed_at: by the database's clock, aware.
    """

    origin: str
    size: int
    root: bytes
    sealed_at: datetime

    @property
    def text(self) -> str:
        """The lines that the signature covers; the time is an extension line."""
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\nsealed {self.sealed_at.isoformat()}\n"

    def signed(self, private_key: str) -> str:
        """Return the note: the lines, an empty one, and the signature's."""
        public_key = base64.b64decode(keys.public_key_of(private_key))
        signature = _key_id(self.origin, public_key) + keys.sign(private_key, self.text.encode())
        return f"{self.text}\n{_SIGNATURE_LINE}{self.origin} {base64.b64encode(signature).decode()}\n"

    @classmethod
    def opened(cls, note: str, public_key: str) -> Self:
        """Return what a note says, once its signature is found to be the key's.

        Args:
            note: the whole note; signatures of others may stand beside ours.
            public_key: 32 bytes in base64.

        Raises:
            InvalidCheckpointError: it is not a note, not a checkpoint, or has no valid signature of the key.
        """
        text, empty, signatures = note.partition("\n\n")
        text += "\n"
        checkpoint = cls._parsed(text)
        if not empty or not any(
            _verifies(line, checkpoint.origin, text, public_key) for line in signatures.splitlines()
        ):
            raise InvalidCheckpointError("it has no valid signature of this installation")
        return checkpoint

    @classmethod
    def _parsed(cls, text: str) -> Self:
        lines = text.splitlines()
        if len(lines) != _LINES or not lines[3].startswith("sealed "):
            raise InvalidCheckpointError("its lines must be origin, size, root and time")
        try:
            root = base64.b64decode(lines[2], validate=True)
            checkpoint = cls(
                origin=lines[0],
                size=int(lines[1]),
                root=root,
                sealed_at=datetime.fromisoformat(lines[3].removeprefix("sealed ")),
            )
        except ValueError as error:
            raise InvalidCheckpointError(f"it cannot be parsed: {error}") from error
        if checkpoint.text != text or len(root) != HASH_BYTES:
            raise InvalidCheckpointError("it is not in canonical form")
        return checkpoint


def _verifies(line: str, origin: str, text: str, public_key: str) -> bool:
    name, _, encoded = line.removeprefix(_SIGNATURE_LINE).partition(" ")
    raw_key = keys.raw_key(public_key)
    if not line.startswith(_SIGNATURE_LINE) or name != origin or raw_key is None:
        return False
    try:
        signature = base64.b64decode(encoded, validate=True)
    except ValueError:
        return False
    ours = signature[:_KEY_ID_BYTES] == _key_id(origin, raw_key)
    return ours and keys.verifies(public_key, signature[_KEY_ID_BYTES:], text.encode())


def _key_id(origin: str, public_key: bytes) -> bytes:
    return hashlib.sha256(origin.encode() + b"\n" + _ED25519 + public_key).digest()[:_KEY_ID_BYTES]
