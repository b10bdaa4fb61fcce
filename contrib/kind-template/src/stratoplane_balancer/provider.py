# SPDX-License-Identifier: Apache-2.0
"""The provider: load balancers as files in a folder. Replace this module by your provider's client library."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

MAINTENANCE: Final = "maintenance"
"""While a file of this name is in the provider's folder, the provider refuses every call."""
_MAIL: Final = 25
_UNFINISHED: Final = ".new"


class MaintenanceError(Exception):
    """The provider is being maintained; nothing was done."""


class PortForbiddenError(Exception):
    """The provider allows nobody to listen on this port."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Balancer:
    """A load balancer as the provider knows it."""

    name: str
    port: int
    algorithm: str
    backends: tuple[str, ...]
    address: str


class FolderProvider:
    """One file for each load balancer, by its id.

    A real provider lets the caller choose the id, or keeps tags that the creating call sets.
    """

    def __init__(self, folder: Path, customer: str) -> None:
        self._folder: Final = folder
        self._own: Final = folder / customer

    def connect(self) -> None:
        """Make the customer's folder; the one above it is the operator's and must be there. Raises OSError."""
        self._own.mkdir(exist_ok=True)

    def find(self, identifier: str) -> Balancer | None:
        """Return a load balancer, None if there is none. Raises OSError, MaintenanceError."""
        self._check()
        try:
            document = json.loads((self._own / identifier).read_text(encoding="utf-8"))
        except FileNotFoundError:
            self._own.stat()  # a folder that is away says nothing about what is in it
            return None
        return Balancer(**{**document, "backends": tuple(document["backends"])})

    def identifiers(self) -> Iterator[str]:
        """Yield the ids of the customer's load balancers. Raises OSError, MaintenanceError."""
        self._check()
        yield from (path.name for path in self._own.iterdir() if path.suffix != _UNFINISHED)

    def put(self, identifier: str, balancer: Balancer) -> None:
        """Write a load balancer, whole or not at all. Raises OSError, MaintenanceError, PortForbiddenError."""
        self._check()
        if balancer.port == _MAIL:
            raise PortForbiddenError(f"port {balancer.port} is forbidden here")
        unfinished = self._own / f"{identifier}.{uuid4()}{_UNFINISHED}"
        unfinished.write_text(json.dumps(asdict(balancer)), encoding="utf-8")
        unfinished.replace(self._own / identifier)

    def remove(self, identifier: str) -> None:
        """Remove a load balancer; a missing one is not an error. Raises OSError, MaintenanceError."""
        self._check()
        try:
            (self._own / identifier).unlink()
        except FileNotFoundError:
            self._own.stat()

    def _check(self) -> None:
        if (self._folder / MAINTENANCE).exists():
            raise MaintenanceError("503 under maintenance")
