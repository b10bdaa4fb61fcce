# SPDX-License-Identifier: Apache-2.0
"""Drift policies, for operators: what the platform does when observed state differs from desired state."""

from collections.abc import Iterator

from stratoplane_client.decode import decode
from stratoplane_client.models.drift import DriftPolicy
from stratoplane_client.transport import Call, Transport


class DriftPolicies:
    """The drift policy of each field that is compared."""

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
        """Set the drift policy of a field. Raises InvalidRequestError."""
        body = {"kind": kind, "field": field, "driver": driver, "policy": policy}
        return decode(DriftPolicy, self._transport.send(Call(method="PUT", path=self._path, body=body)).body)

    def reset(self, *, kind: str, field: str, driver: str = "*") -> None:
        """Reset a field to the platform's default policy. Raises NotFoundError: no policy was set."""
        body = {"kind": kind, "field": field, "driver": driver}
        self._transport.send(Call(method="POST", path=f"{self._path}/reset", body=body))
