# SPDX-License-Identifier: Apache-2.0
"""Incidents, for operators."""

from stratoplane_client.decode import decode
from stratoplane_client.models.incidents import Delivery, Incident
from stratoplane_client.reading import Showing, segment
from stratoplane_client.transport import Call, Transport


class Incidents(Showing[Incident]):
    """Incidents that need attention; ``list()`` shows those that are not resolved.

    Filters of the list are ``status``, ``severity``, ``kind``, ``cluster_id`` and ``assignee``.
    """

    def __init__(self, transport: Transport, path: str) -> None:
        """Keep where they are."""
        super().__init__(transport, path, Incident)

    def acknowledge(self, identifier: str, *, note: str = "") -> Incident:
        """Acknowledge an incident; it no longer escalates. Raises NotFoundError, ConflictError."""
        return self._act(identifier, "acknowledge", {"note": note})

    def assign(self, identifier: str, *, assignee: str) -> Incident:
        """Assign an incident, to nobody if ``assignee`` is empty. Raises NotFoundError, ConflictError."""
        return self._act(identifier, "assign", {"assignee": assignee})

    def resolve(self, identifier: str, *, note: str = "") -> Incident:
        """Resolve an incident. Raises NotFoundError, ConflictError."""
        return self._act(identifier, "resolve", {"note": note})

    def reopen(self, identifier: str, *, note: str = "") -> Incident:
        """Reopen an incident. Raises NotFoundError, ConflictError."""
        return self._act(identifier, "reopen", {"note": note})

    def add_note(self, identifier: str, *, note: str) -> Incident:
        """Add a note to the history of an incident. Raises NotFoundError."""
        return self._act(identifier, "note", {"note": note})

    def redeliver(self, identifier: str, delivery_id: str) -> Delivery:
        """Send a notification again, with the id it had. Raises NotFoundError."""
        path = f"{self._path}/{segment(identifier)}/deliveries/{segment(delivery_id)}/redeliver"
        return decode(Delivery, self._transport.send(Call(method="POST", path=path)).body)

    def _act(self, identifier: str, verb: str, body: dict[str, str]) -> Incident:
        call = Call(method="POST", path=f"{self._path}/{segment(identifier)}/{verb}", body=body)
        return decode(Incident, self._transport.send(call).body)
