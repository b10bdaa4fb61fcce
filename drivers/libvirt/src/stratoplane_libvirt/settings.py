# SPDX-License-Identifier: Apache-2.0
"""Settings of the libvirt drivers."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from stratoplane.settings import setting


class DomainType(StrEnum):
    """How guests are run."""

    AUTO = "auto"
    """KVM if a probe guest runs under it, else emulation."""
    KVM = "kvm"
    QEMU = "qemu"


class CpuMode(StrEnum):
    """The processor model of guests."""

    AUTO = "auto"
    """The host's model under KVM, the hypervisor's default under emulation."""
    HOST_MODEL = "host-model"
    HOST_PASSTHROUGH = "host-passthrough"
    MAXIMUM = "maximum"


@dataclass(frozen=True, kw_only=True)
class LibvirtSettings:
    """Settings of the three libvirt drivers; they share one table."""

    uri: str = setting("qemu:///system", help="libvirt connection URI", env="STRATOPLANE_LIBVIRT_URI")
    pool: str = setting("default", help="storage pool of type dir for disks and images", env="STRATOPLANE_LIBVIRT_POOL")
    image_folder: Path = setting(  # noqa: RUF009  # makes a dataclass field
        Path("/var/lib/stratoplane/images"),
        help="folder on the agent's host with the files that images have as their source",
        env="STRATOPLANE_LIBVIRT_IMAGE_FOLDER",
    )
    domain_type: DomainType = setting(  # noqa: RUF009  # makes a dataclass field
        DomainType.AUTO, help="kvm, qemu (emulation) or auto", env="STRATOPLANE_LIBVIRT_DOMAIN_TYPE"
    )
    cpu_mode: CpuMode = setting(  # noqa: RUF009  # makes a dataclass field
        CpuMode.AUTO, help="host-model, host-passthrough, maximum or auto", env="STRATOPLANE_LIBVIRT_CPU_MODE"
    )
    machine: str = setting(
        "",
        help="machine type; empty for q35 on x86_64 and the hypervisor's default elsewhere",
        env="STRATOPLANE_LIBVIRT_MACHINE",
    )
    shutdown_grace: float = setting(
        60.0,
        help="seconds that a guest may take to shut down before it is powered off",
        env="STRATOPLANE_LIBVIRT_SHUTDOWN_GRACE",
    )
    vcpu_overcommit: float = setting(
        4.0,
        help="virtual processors offered for each processor of the host",
        env="STRATOPLANE_LIBVIRT_VCPU_OVERCOMMIT",
    )
    memory_reserve_mib: int = setting(
        1024, help="memory in MiB that the host keeps for itself", env="STRATOPLANE_LIBVIRT_MEMORY_RESERVE_MIB"
    )

    def __post_init__(self) -> None:
        if self.shutdown_grace < 0:
            raise ValueError("shutdown_grace: must be 0 or more seconds")
        if self.vcpu_overcommit <= 0:
            raise ValueError("vcpu_overcommit: must be more than 0")
        if self.memory_reserve_mib < 0:
            raise ValueError("memory_reserve_mib: must be 0 or more")
