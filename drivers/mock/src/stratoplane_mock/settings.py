# SPDX-License-Identifier: Apache-2.0
"""Settings of the simulated region."""

from dataclasses import dataclass
from pathlib import Path

from stratoplane.settings import setting
from stratoplane_mock.rules import parse_rule


@dataclass(frozen=True, kw_only=True)
class MockSettings:
    """Settings of the three mock drivers; they share one table and one region."""

    region: Path | None = setting(  # noqa: RUF009  # makes a dataclass field
        None,
        help="file of the region; mock-region.sqlite3 in the driver's state folder when not set",
        env="STRATOPLANE_MOCK_REGION",
    )
    hosts: int = setting(100, help="number of hosts", env="STRATOPLANE_MOCK_HOSTS")
    host_vcpus: int = setting(512, help="virtual processors of each host", env="STRATOPLANE_MOCK_HOST_VCPUS")
    host_memory_mib: int = setting(
        2 * 1024 * 1024, help="memory of each host in MiB", env="STRATOPLANE_MOCK_HOST_MEMORY_MIB"
    )
    storage_gib: int = setting(
        1_000_000, help="storage for volumes and root disks in GiB", env="STRATOPLANE_MOCK_STORAGE_GIB"
    )
    images: tuple[str, ...] = setting(
        (), help="sources of the images that exist; every image exists when empty", env="STRATOPLANE_MOCK_IMAGES"
    )
    machine_seconds: float = setting(
        0.0, help="seconds until a requested machine is built", env="STRATOPLANE_MOCK_MACHINE_SECONDS"
    )
    shutdown_seconds: float = setting(
        0.0, help="seconds until a machine has shut down", env="STRATOPLANE_MOCK_SHUTDOWN_SECONDS"
    )
    delete_seconds: float = setting(
        0.0, help="seconds until a deleted machine is gone", env="STRATOPLANE_MOCK_DELETE_SECONDS"
    )
    call_seconds: float = setting(
        0.0, help="seconds that every call takes to answer", env="STRATOPLANE_MOCK_CALL_SECONDS"
    )
    calls_per_second: float = setting(
        0.0,
        help="calls per second that each driver may make before the region refuses more; 0 for no limit",
        env="STRATOPLANE_MOCK_CALLS_PER_SECOND",
    )
    faults: tuple[str, ...] = setting(
        (), help="faults with their rates, such as lost_after@machine.create=0.1", env="STRATOPLANE_MOCK_FAULTS"
    )
    seed: int = setting(0, help="seed of the faults, so that a run can be repeated", env="STRATOPLANE_MOCK_SEED")

    def __post_init__(self) -> None:
        positive = {"hosts": self.hosts, "host_vcpus": self.host_vcpus, "host_memory_mib": self.host_memory_mib}
        problems = [f"{name}: must be at least 1" for name, value in positive.items() if value < 1]
        not_negative = {
            "storage_gib": self.storage_gib,
            "machine_seconds": self.machine_seconds,
            "shutdown_seconds": self.shutdown_seconds,
            "delete_seconds": self.delete_seconds,
            "call_seconds": self.call_seconds,
            "calls_per_second": self.calls_per_second,
        }
        problems += [f"{name}: must be 0 or more" for name, value in not_negative.items() if value < 0]
        for text in self.faults:
            try:
                parse_rule(text)
            except ValueError as error:
                problems.append(f"faults: {error}")
        if problems:
            raise ValueError("; ".join(problems))
