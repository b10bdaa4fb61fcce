# SPDX-License-Identifier: Apache-2.0
"""Which of a pool's connections may still be used: none that is older than the last bad news of its server."""

from typing import Final

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

_EPOCH: Final = "epoch"


class KeptConnections:
    """Ages the connections of a pool, and of the pools that are made of it."""

    def __init__(self, pool: QueuePool) -> None:
        """Have ``pool`` ask before it gives a connection away."""
        self._epoch = 0
        event.listen(pool, "connect", self._made)
        event.listen(pool, "checkout", self._taken)

    def distrust(self) -> None:
        """Have each connection made again before its next use."""
        self._epoch += 1

    def _made(self, _driver: object, entry: ConnectionPoolEntry) -> None:
        entry.info[_EPOCH] = self._epoch

    def _taken(self, _driver: object, entry: ConnectionPoolEntry, _pooled: object) -> None:
        if entry.info[_EPOCH] != self._epoch:
            raise DisconnectionError
