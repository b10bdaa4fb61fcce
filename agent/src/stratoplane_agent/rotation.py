# SPDX-License-Identifier: Apache-2.0
"""Renews the agent's key while it runs, so that use of a copied state folder is detected by the next rotation."""

import threading
from typing import Final

from stratoplane_agent.backoff import Backoff
from stratoplane_agent.control_plane import ControlPlane
from stratoplane_agent.identity import KeyIdentity
from stratoplane_agent.log import Log
from stratoplane_agent.session import ControlPlaneSession
from stratoplane_agent.transport import ControlPlaneError

_SHORTEST_PERIOD: Final = 0.2
_LONGEST_PERIOD: Final = 60.0
_log: Final = Log("rotation")


class Rotation:
    """One daemon thread."""

    def __init__(self, control_plane: ControlPlane, identity: KeyIdentity, session: ControlPlaneSession) -> None:
        """Renew the key of ``identity`` at the age that the control plane asks for in its welcome."""
        self._control_plane: Final = control_plane
        self._identity: Final = identity
        self._session: Final = session
        self._backoff: Final = Backoff(cap=600.0)
        self._stop: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="rotation", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop renewing; the next run completes a rotation in progress."""
        self._stop.set()

    def _run(self) -> None:
        wait = _SHORTEST_PERIOD
        while not self._stop.wait(wait):
            try:
                self._rotate_if_due()
                self._backoff.reset()
                wait = max(_SHORTEST_PERIOD, min(_LONGEST_PERIOD, self._session.key_seconds / 10))
            except (ControlPlaneError, OSError) as error:
                _log.warning("key_not_rotated", reason=error)
                wait = self._backoff.delay()

    def _rotate_if_due(self) -> None:
        if not self._session.is_welcome:
            return
        if self._identity.is_rotating or self._identity.age() >= self._session.key_seconds:
            self._control_plane.rotate(self._identity.next_key())
            self._identity.promote()
            _log.info("key_rotated", generation=self._identity.generation)
