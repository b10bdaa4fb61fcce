# SPDX-License-Identifier: Apache-2.0
"""States of what tenants own."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class ResourceStatus(StrEnum):
    """The state of a resource. After a crash the job that changes it is claimed again and continues."""

    PENDING = "PENDING"
    """Accepted and not created yet; a job is in progress."""
    ACTIVE = "ACTIVE"
    """Ready for use (every kind but machines)."""
    RUNNING = "RUNNING"
    """A machine that is powered on."""
    STOPPED = "STOPPED"
    """A machine that is powered off."""
    UPDATING = "UPDATING"
    """A change was accepted and a job applies it; the object stays usable."""
    DELETING = "DELETING"
    """A deletion was accepted; it can only be cancelled before an agent has started."""
    DELETED = "DELETED"
    """Removed at the provider, or an adoption that failed left it alone; kept as history only."""
    FAILED = "FAILED"
    """The job failed and what it had created was removed; delete the object, or retry its creation."""
    LOST = "LOST"
    """Expected at the provider and not found there; it recovers by itself when it is found again."""


_S = ResourceStatus

TRANSITIONS: Final[Mapping[ResourceStatus, frozenset[ResourceStatus]]] = MappingProxyType(
    {
        _S.PENDING: frozenset({_S.ACTIVE, _S.RUNNING, _S.STOPPED, _S.FAILED, _S.DELETING, _S.DELETED}),
        _S.ACTIVE: frozenset({_S.UPDATING, _S.DELETING, _S.LOST}),
        _S.RUNNING: frozenset({_S.UPDATING, _S.DELETING, _S.STOPPED, _S.LOST}),
        _S.STOPPED: frozenset({_S.UPDATING, _S.DELETING, _S.RUNNING, _S.LOST}),
        _S.UPDATING: frozenset({_S.ACTIVE, _S.RUNNING, _S.STOPPED, _S.DELETING, _S.LOST}),
        _S.DELETING: frozenset({_S.DELETED, _S.FAILED, _S.ACTIVE, _S.RUNNING, _S.STOPPED}),
        _S.FAILED: frozenset({_S.DELETING, _S.PENDING}),
        _S.LOST: frozenset({_S.ACTIVE, _S.RUNNING, _S.STOPPED, _S.UPDATING, _S.DELETING}),
        _S.DELETED: frozenset(),
    }
)

READY: Final = frozenset({_S.ACTIVE, _S.RUNNING, _S.STOPPED, _S.UPDATING})
"""States in which others may use the object."""

CHANGEABLE: Final = frozenset({_S.PENDING, _S.ACTIVE, _S.RUNNING, _S.STOPPED, _S.UPDATING})
"""States in which a tenant may request a change; it is queued behind the job in progress."""


class PowerState(StrEnum):
    """Desired and observed power of a machine."""

    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
