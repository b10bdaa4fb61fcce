# SPDX-License-Identifier: Apache-2.0
"""The installation's key: with it the control plane proves itself to agents and signs the audit trail."""

import base64
from dataclasses import dataclass, field
from uuid import UUID

from stratoplane.join_tokens import pin_of
from stratoplane_engine import signing_keys as keys
from stratoplane_engine.db import agent_keys as rows
from stratoplane_engine.db.connection import Connection, Database


@dataclass(frozen=True, kw_only=True, slots=True)
class InstallationKey:
    """With what the control plane proves itself; ``private_key`` is base64."""

    installation_id: UUID
    private_key: str = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of ``message``."""
        return keys.sign(self.private_key, message)

    @property
    def public_key(self) -> str:
        """The public half, base64."""
        return keys.public_key_of(self.private_key)

    @property
    def pin(self) -> str:
        """The fingerprint that join tokens carry."""
        return pin_of(base64.b64decode(self.public_key))


def installation_key(connection: Connection) -> InstallationKey:
    """Return the installation's key; it is made when it is first asked for."""
    kept = rows.installation_key(connection, keys.new_private_key())
    return InstallationKey(installation_id=kept.installation_id, private_key=kept.private_key)


def read_installation_key(database: Database) -> InstallationKey:
    """Return the installation's key in a transaction of its own. Raises UnavailableError."""
    with database.system() as connection:
        return installation_key(connection)
