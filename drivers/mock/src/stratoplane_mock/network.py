# SPDX-License-Identifier: Apache-2.0
"""Networks of the simulated region."""

from collections.abc import Iterable
from typing import ClassVar, Final
from uuid import UUID

from stratoplane.drivers import Capacity, DriverContext
from stratoplane.foreign import Adoption, ForeignObject, ImportOps
from stratoplane.network import NetworkDriver, NetworkSpec, NetworkStatus
from stratoplane_mock import adoption, networks
from stratoplane_mock.rules import Call, Kind
from stratoplane_mock.session import Session
from stratoplane_mock.settings import MockSettings


class MockNetworkDriver(NetworkDriver, ImportOps):
    """Networks that exist in a file only; they give addresses to machines of the same region."""

    production_ready: ClassVar = False
    Settings: ClassVar = MockSettings

    def __init__(self, settings: MockSettings, context: DriverContext) -> None:
        super().__init__(settings, context)
        self._session: Final = Session(settings, context)

    def prepare(self) -> None:
        self._session.prepare()

    def capacity(self) -> Capacity:
        return Capacity()

    def observe(self, uid: UUID) -> NetworkStatus | None:
        return self._session.read(_call("observe", uid), networks.observe, uid)

    def create(self, spec: NetworkSpec) -> NetworkStatus:
        return self._session.change(_call("create", spec.uid), networks.create, spec)

    def update(self, spec: NetworkSpec) -> NetworkStatus:
        return self._session.change(_call("update", spec.uid), networks.update, spec)

    def delete(self, uid: UUID) -> None:
        self._session.change(_call("delete", uid), networks.delete, uid)

    def list(self) -> Iterable[NetworkStatus]:
        return self._session.read(_call("list"), networks.list_all)

    def list_foreign(self, limit: int) -> Iterable[ForeignObject]:
        return self._session.read(_call("list_foreign"), networks.list_foreign, limit)

    def adopt(self, adoption: Adoption) -> NetworkStatus:
        return self._session.change(_call("adopt", adoption.uid), networks.adopt, adoption)

    def release(self, uid: UUID) -> None:
        self._session.change(_call("release", uid), adoption.release, Kind.NETWORK, uid)


def _call(verb: str, uid: UUID | None = None) -> Call:
    return Call(kind=Kind.NETWORK, verb=verb, uid=uid)
