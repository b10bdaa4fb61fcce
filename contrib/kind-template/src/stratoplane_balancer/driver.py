# SPDX-License-Identifier: Apache-2.0
"""A driver for load balancers at the example provider."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final
from uuid import UUID

from stratoplane.drivers import Capacity, DriverContext
from stratoplane.errors import ConflictError, NotFoundError
from stratoplane.settings import setting
from stratoplane_balancer.contract import Algorithm, BalancerSpec, BalancerStatus, LoadBalancerDriver
from stratoplane_balancer.failures import translated
from stratoplane_balancer.provider import Balancer, FolderProvider

_ADDRESS: Final = "192.0.2.80"


@dataclass(frozen=True, kw_only=True)
class FolderSettings:
    """Settings of the driver; the table ``[driver.folder]`` of the agent's configuration."""

    folder: Path = setting(  # noqa: RUF009  # makes a dataclass field
        Path("/var/lib/stratoplane-balancer"),
        help="folder that holds one file for each load balancer",
        env="STRATOPLANE_BALANCER_FOLDER",
    )


class FolderBalancerDriver(LoadBalancerDriver):
    """Keeps each load balancer as a file that is named by its uid, in a folder of this installation alone."""

    contract: ClassVar = (1, 0)
    Settings: ClassVar = FolderSettings

    def __init__(self, settings: FolderSettings, context: DriverContext) -> None:
        super().__init__(settings, context)
        # The folder is the mark: list() shows what is in it, and another installation has another folder.
        self._provider: Final = FolderProvider(settings.folder, str(context.installation_id))

    def prepare(self) -> None:
        with translated("open the folder"):
            self._provider.connect()

    def capacity(self) -> Capacity:
        return Capacity()

    def observe(self, uid: UUID) -> BalancerStatus | None:
        with translated(f"look for load balancer {uid}"):
            found = self._provider.find(str(uid))
        return None if found is None else _status(uid, found)

    def create(self, spec: BalancerSpec) -> BalancerStatus:
        return self._write(spec, self.observe(spec.uid))

    def update(self, spec: BalancerSpec) -> BalancerStatus:
        existing = self.observe(spec.uid)
        if existing is None:
            raise NotFoundError(f"there is no load balancer {spec.uid}")
        return self._write(spec, existing)

    def delete(self, uid: UUID) -> None:
        with translated(f"delete load balancer {uid}"):
            self._provider.remove(str(uid))

    def list(self) -> Iterable[BalancerStatus]:
        with translated("list load balancers"):
            found = [(UUID(each), self._provider.find(each)) for each in self._provider.identifiers()]
        return [_status(uid, balancer) for uid, balancer in found if balancer is not None]

    def _write(self, spec: BalancerSpec, existing: BalancerStatus | None) -> BalancerStatus:
        if existing is not None and existing.port != spec.port:
            raise ConflictError(f"load balancer {spec.uid} listens on port {existing.port} instead of {spec.port}")
        wanted = Balancer(
            name=spec.name,
            port=spec.port,
            algorithm=spec.algorithm.value,
            backends=tuple(map(str, spec.machine_uids)),
            address=_ADDRESS,
        )
        with translated(f"write load balancer {spec.uid}"):
            self._provider.put(str(spec.uid), wanted)
        return _status(spec.uid, wanted)


def _status(uid: UUID, balancer: Balancer) -> BalancerStatus:
    return BalancerStatus(
        uid=uid,
        name=balancer.name,
        port=balancer.port,
        algorithm=Algorithm(balancer.algorithm),
        machine_uids=tuple(map(UUID, balancer.backends)),
        address=balancer.address,
        provider_reference=str(uid),
    )
