# SPDX-License-Identifier: Apache-2.0
"""Who a token stands for."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cachetools import TLRUCache

from stratoplane.errors import AuthenticationFailedError
from stratoplane_engine.access.context import Actor
from stratoplane_engine.access.permissions import Grant, known_permissions
from stratoplane_engine.db import identity as rows
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.identity import TokenOwner
from stratoplane_engine.db.listen import Heard
from stratoplane_engine.model.identity import HeldRole
from stratoplane_engine.services import credentials

_MOST: Final = 4096


def authenticate(database: Database, credential: str) -> Actor:
    """Return who a token stands for, with every grant.

    Raises:
        AuthenticationFailedError: it is mistyped, unknown, expired or revoked; the caller logs in again.
    """
    return _actor(_find_owner(database, credential))


def _find_owner(database: Database, credential: str) -> TokenOwner:
    owner = None
    if credentials.is_token(credential):
        with database.system_reads() as connection:
            owner = rows.token_owner(connection, credentials.token_hash(credential))
    if owner is None:
        raise AuthenticationFailedError("the token is unknown, expired or revoked; log in again")
    return owner


def _actor(owner: TokenOwner) -> Actor:
    return Actor(
        id=owner.id,
        name=f"user:{owner.username}",
        organization_id=owner.organization_id,
        credential_id=owner.credential_id,
        grants=tuple(map(grant_of, owner.roles)),
    )


def grant_of(role: HeldRole) -> Grant:
    """Return what a role that a user holds allows; permissions of a newer version are left out."""
    return Grant(
        scope=role.scope,
        organization_id=role.organization_id,
        project_id=role.project_id,
        permissions=known_permissions(role.permissions),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    actor: Actor
    seconds: float


def _end(_key: str, kept: _Kept, now: float) -> float:
    return now + kept.seconds


class Authenticator:
    """Tells who a token stands for, and keeps the answer briefly, so that not every request asks the database.

    An answer is kept for :data:`credentials.LONGEST_SECONDS` at most and never past the token's end, and only while
    the database's notifications arrive (:meth:`hear`): every change of tokens, users, role bindings, roles and
    organizations is notified in its transaction, and empties the cache. Whoever makes such a change in this process
    calls :meth:`forget` before it answers. Refusals are not kept. One object serves all threads of a process.
    """

    def __init__(
        self,
        database: Database,
        *,
        longest: float = credentials.LONGEST_SECONDS,
        most: int = _MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask ``database``, and keep the answers.

        Args:
            database: has the tokens.
            longest: seconds that an answer is kept; 0 keeps none.
            most: how many tokens are kept; the least recently used makes room.
            clock: measures seconds.
        """
        self._database: Final = database
        self._longest: Final = longest
        self._lock: Final = threading.Lock()
        self._kept: Final[TLRUCache[str, _Kept]] = TLRUCache(maxsize=most, ttu=_end, timer=clock)
        self._hears = False
        self._changes = 0

    def __len__(self) -> int:
        """Return how many answers are kept."""
        with self._lock:
            return len(self._kept)

    def authenticate(self, credential: str) -> Actor:
        """Return who a token stands for, as of a second ago at most. Raises as :func:`authenticate`."""
        key = credentials.token_hash(credential)
        with self._lock:
            kept = self._kept.get(key)
            changes = self._changes
        if kept is not None:
            return kept.actor
        owner = _find_owner(self._database, credential)
        actor = _actor(owner)
        seconds = self._longest if owner.seconds_left is None else min(self._longest, owner.seconds_left)
        with self._lock:
            # What changed while the database was asked may not be in its answer.
            if self._hears and changes == self._changes:
                self._kept[key] = _Kept(actor=actor, seconds=seconds)
        return actor

    def forget(self) -> None:
        """Keep nothing of what was learnt until now."""
        with self._lock:
            self._changes += 1
            self._kept.clear()

    def hear(self, heard: Heard) -> None:
        """Take what the listener to :data:`~stratoplane_engine.db.identity.IDENTITY_CHANNEL` learns."""
        with self._lock:
            self._hears = heard.connected
        self.forget()
