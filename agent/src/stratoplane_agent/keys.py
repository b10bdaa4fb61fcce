# SPDX-License-Identifier: Apache-2.0
"""Ed25519 keys as text: 32 bytes in base64, as the credential file and the messages have them."""

import base64
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stratoplane.settings import Secret


class PrivateKey:
    """A key that signs."""

    def __init__(self, text: str) -> None:
        """Read a key. Raises ValueError if the text is not a key."""
        self._key: Final = Ed25519PrivateKey.from_private_bytes(base64.b64decode(text, validate=True))

    @staticmethod
    def new() -> Secret:
        """Return the text of a new key."""
        return Secret(base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode())

    @property
    def public(self) -> str:
        """The text of its public half."""
        return base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    def sign(self, message: bytes) -> bytes:
        """Return the signature of ``message``."""
        return self._key.sign(message)

    def proof(self, message: bytes) -> str:
        """Return the signature of ``message`` as text."""
        return base64.b64encode(self.sign(message)).decode()


class PublicKey:
    """A key that verifies signatures."""

    def __init__(self, text: str) -> None:
        """Read a key. Raises ValueError if the text is not a key."""
        self.raw: Final = base64.b64decode(text, validate=True)
        self._key: Final = Ed25519PublicKey.from_public_bytes(self.raw)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Tell whether ``signature`` is this key's signature of ``message``."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True
