# SPDX-License-Identifier: Apache-2.0
"""The agent's key is renewed while it works: a copy of the state folder is found out at the latest by the next one."""

import threading
from typing import Final

from stratoplane_agent.backoff import Backoff
from stratoplane_agent.control_plane import ControlPlane
from stratoplane_agent.identity import KeyIdentity
from stratoplane_agent.log import Log
from stratoplane_agent.presence import Presence
from stratoplane_agent.transport import ControlPlaneError

_SHORTEST_LOOK: Final = 0.2
_LONGEST_LOOK: Final = 60.0
_log: Final = Log("rotation")


class Rotation:
    """One daemon thread."""

    def __init__(self, control_plane: ControlPlane, identity: KeyIdentity, presence: Presence) -> None:
        """Renew the key of ``identity`` when it is as old as the control plane wishes by its welcome."""
        self._control_plane: Final = control_plane
        self._identity: Final = identity
        self._presence: Final = presence
        self._backoff: Final = Backoff(cap=600.0)
        self._stop: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="rotation", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Renew no more; a rotation under way is taken up by the next run."""
        self._stop.set()

    def _run(self) -> None:
        wait = _SHORTEST_LOOK
        while not self._stop.wait(wait):
            try:
                self._rotate_if_due()
                self._backoff.reset()
                wait = max(_SHORTEST_LOOK, min(_LONGEST_LOOK, self._presence.key_seconds / 10))
            except (ControlPlaneError, OSError) as error:
                _log.warning("key_not_rotated", reason=error)
                wait = self._backoff.delay()

    def _rotate_if_due(self) -> None:
        if not self._presence.is_welcome:
            return
        if self._identity.is_rotating or self._identity.age() >= self._presence.key_seconds:
            self._control_plane.rotate(self._identity.next_key())
            self._identity.promote()
            _log.info("key_rotated", generation=self._identity.generation)
