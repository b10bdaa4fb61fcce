# SPDX-License-Identifier: Apache-2.0
"""What all provider drivers have in common: life cycle, identity, capacity and features.

A driver serves one cluster from inside its agent. It has four idempotent verbs for each kind of object
(``observe``, ``create``, ``update``, ``delete``), finds its objects by *our* uid, and never blocks for minutes:
long work returns :class:`~stratoplane.jobs.Wait`.
"""

import abc
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol
from uuid import UUID

from stratoplane import CONTRACT
from stratoplane.settings import NoSettings

MOST_IMAGES: Final = 500
"""How many images of a driver an agent asks for; the images of a driver that has more are not known."""


class DriverContext(Protocol):
    """What the agent gives to a driver.

    Attributes:
        installation_id: the platform's id, part of every mark that a driver leaves at the provider.
        cluster_id: the cluster that the agent serves.
        state_folder: the driver's folder on the agent's disk; it exists, and only the agent can read it.
    """

    @property
    def installation_id(self) -> UUID:
        """Return the platform's id."""

    @property
    def cluster_id(self) -> UUID:
        """Return the id of the cluster that the agent serves."""

    @property
    def state_folder(self) -> Path:
        """Return the driver's folder on the agent's disk."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentContext:
    """The plain :class:`DriverContext` that agents and tests use."""

    installation_id: UUID
    cluster_id: UUID
    state_folder: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity:
    """The total capacity of a provider, used or not. Zero means that the driver does not offer it.

    Attributes:
        vcpus: virtual processors that may be assigned, over-commitment included.
        memory_mib: memory for machines, in MiB.
        storage_gib: storage for volumes and root disks, in GiB.
    """

    vcpus: int = 0
    memory_mib: int = 0
    storage_gib: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class AvailableImage:
    """An image that a driver has: by its source, or as a copy of its own whose source may be gone.

    Attributes:
        source: as in :class:`stratoplane.compute.ImageReference`; empty for a copy.
        uid: our id of the image that it is a copy of, None for what is known by its source.
        sha256: hexadecimal digest of the file, empty when the driver does not know it.
    """

    source: str = ""
    uid: UUID | None = None
    sha256: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageSample:
    """Metered readings of one object since the driver started to count.

    Attributes:
        uid: our id of the object.
        readings: counter name with unit (``cpu_seconds``, ``disk_read_bytes`` ...) to value; counters never decrease
            except when the object restarts.
    """

    uid: UUID
    readings: Mapping[str, float] = field(default_factory=dict)


class Interface(StrEnum):
    """The built-in driver interfaces; drivers are entry points of the group ``stratoplane.<interface>``.

    Plugins add interfaces of their own (:mod:`stratoplane.driver_kinds`), so contracts carry the name as a string.
    """

    COMPUTE = "compute"
    NETWORK = "network"
    STORAGE = "storage"


class Feature(StrEnum):
    """The built-in optional abilities. They are derived from the classes that a driver inherits, so they cannot lie."""

    REBOOT = "reboot"
    RESIZE = "resize"
    LIVE_RESIZE = "live_resize"
    CONSOLE_LOG = "console_log"
    IMPORT = "import"
    BUCKETS = "buckets"
    FOREIGN_OBJECTS = "foreign_objects"
    IMAGES = "images"


class Ability(abc.ABC):
    """Root of the optional abilities; a subclass names its feature, one of a plugin with a name of its own."""

    feature: ClassVar[str]


class Driver(abc.ABC):
    """Root of the driver interfaces."""

    interface: ClassVar[str]
    contract: ClassVar[tuple[int, int]] = CONTRACT
    """The contract that the driver was written for; the registry refuses another major number."""
    production_ready: ClassVar[bool] = True
    """False for drivers that must not run real workloads; agents and consoles warn about them."""
    Settings: ClassVar[type[Any]] = NoSettings
    """Frozen dataclass of the driver's settings, see :mod:`stratoplane.settings`."""

    def __init__(self, settings: Any, context: DriverContext) -> None:  # the subclass's own Settings
        """Keep the arguments. No input or output here: a driver that is not usable yet must still be listed."""
        self.settings = settings
        self.context: Final = context

    @abc.abstractmethod
    def prepare(self) -> None:
        """Do the first input and output: connect, and check what the provider offers.

        Called before the first verb and again after it failed. Idempotent.

        Raises:
            MisconfiguredError: the agent shows the driver as broken with this reason until its settings change.
            UnreachableError: the agent shows it as unreachable and retries.
        """

    @abc.abstractmethod
    def capacity(self) -> Capacity:
        """Return the provider's total capacity. Called about every minute; raises TransientError if unknown."""

    def usage(self) -> Iterable[UsageSample]:
        """Return meter readings of every object that has any; empty by default.

        Not called yet; metering will read it. The conformance kit checks what it returns.
        """
        return ()

    def features(self) -> frozenset[str]:
        """Return the optional abilities, derived from the inherited classes. Do not override it."""
        return frozenset(
            str(parent.feature)
            for parent in type(self).__mro__
            if issubclass(parent, Ability) and "feature" in vars(parent)
        )
