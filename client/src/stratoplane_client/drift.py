# SPDX-License-Identifier: Apache-2.0
"""What is done about differences between what is desired and what is there, for operators."""

from collections.abc import Iterator

from stratoplane_client.decode import decode
from stratoplane_client.models.drift import DriftPolicy
from stratoplane_client.transport import Call, Transport


class DriftPolicies:
    """The policy of every field that is compared."""

    def __init__(self, transport: Transport, path: str) -> None:
        """Keep where they are."""
        self._transport = transport
        self._path = path

    def list(self) -> Iterator[DriftPolicy]:
        """Yield all of them."""
        answer = self._transport.send(Call(method="GET", path=self._path)).body
        for each in answer["items"]:
            yield decode(DriftPolicy, each)

    def set(self, *, kind: str, field: str, policy: str, driver: str = "*") -> DriftPolicy:
        """Set what is done about differences of a field. Raises InvalidRequestError."""
        body = {"kind": kind, "field": field, "driver": driver, "policy": policy}
        return decode(DriftPolicy, self._transport.send(Call(method="PUT", path=self._path, body=body)).body)

    def reset(self, *, kind: str, field: str, driver: str = "*") -> None:
        """Return to the platform's own policy. Raises NotFoundError: none was set."""
        body = {"kind": kind, "field": field, "driver": driver}
        self._transport.send(Call(method="POST", path=f"{self._path}/reset", body=body))
