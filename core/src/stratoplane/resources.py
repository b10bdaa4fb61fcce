# SPDX-License-Identifier: Apache-2.0
"""Kinds and states of what tenants own."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class ResourceKind(StrEnum):
    """What a tenant can own. Plugins may add kinds of their own; these are the built-in ones."""

    VIRTUAL_MACHINE = "virtual_machine"
    NETWORK = "network"
    VOLUME = "volume"
    BUCKET = "bucket"
    KEY_PAIR = "key_pair"


class ResourceStatus(StrEnum):
    """Where an object is in its life. After a crash the job that moves it is claimed again and goes on."""

    PENDING = "PENDING"
    """Accepted and not yet made; a job works on it."""
    ACTIVE = "ACTIVE"
    """Ready for use (every kind but machines)."""
    RUNNING = "RUNNING"
    """A machine that is powered on."""
    STOPPED = "STOPPED"
    """A machine that is powered off."""
    UPDATING = "UPDATING"
    """A change was accepted and a job brings the object to it; the object stays usable."""
    DELETING = "DELETING"
    """A deletion was accepted; the only way back is to cancel it before an agent has begun."""
    DELETED = "DELETED"
    """Gone at the provider; kept as history only."""
    FAILED = "FAILED"
    """The job failed and what it had made was undone; the object can be deleted, or its create tried again."""
    LOST = "LOST"
    """Expected at the provider and not found there; it returns by itself if it is seen again."""


_S = ResourceStatus

TRANSITIONS: Final[Mapping[ResourceStatus, frozenset[ResourceStatus]]] = MappingProxyType(
    {
        _S.PENDING: frozenset({_S.ACTIVE, _S.RUNNING, _S.STOPPED, _S.FAILED, _S.DELETING}),
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
"""States in which a tenant may ask for a change; it is queued behind what is under way."""


class PowerState(StrEnum):
    """Desired and observed power of a machine."""

    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
