# SPDX-License-Identifier: Apache-2.0
"""Every hook that a plugin may implement.

A plugin is a module, an object or a class behind an entry point of the group ``stratoplane.plugins``; its functions
carry :data:`hookimpl`. A class is instantiated with its settings: an object of the frozen dataclass ``Settings`` of the
class, read from its table ``[plugins.<name>]`` and the environment (see :mod:`stratoplane.settings`).

Hooks that may refuse are fail-closed: a plugin that raises refuses. Hooks that only watch are fail-open: their
exceptions are logged and change nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import pluggy

from stratoplane.errors import Violation
from stratoplane.kinds import AnyKind

PROJECT_NAME = "stratoplane"
hookspec = pluggy.HookspecMarker(PROJECT_NAME)
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)


@dataclass(frozen=True, kw_only=True, slots=True)
class AdmissionRequest:
    """A change that a tenant asks for, before anything is written.

    Attributes:
        action: ``create``, ``update`` or ``delete``.
        kind: kind of the resource.
        name: its name, after the change.
        previous_name: its name before an update; None when the resource is new.
        spec: the desired state as the request gives it, JSON values.
    """

    action: str
    kind: str
    name: str
    organization_id: UUID
    project_id: UUID
    actor: str
    previous_name: str | None = None
    spec: Mapping[str, object] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacementCandidate:
    """A cluster that is enabled, connected and fits the request; free amounts exclude what is claimed."""

    cluster_id: UUID
    name: str
    free_vcpus: int
    free_memory_mib: int
    free_storage_gib: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CommittedEvent:
    """A change of a resource or a job that has been committed."""

    action: str
    kind: str
    resource_id: UUID
    organization_id: UUID
    project_id: UUID
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """An event of an incident to be sent to people outside the platform.

    Attributes:
        id: of this delivery; the same when it is repeated, so that the receiver can recognise it.
        event: ``opened``, ``reopened``, ``escalated`` or ``resolved``.
        occurred_at: when, as RFC 3339 in UTC.
        kind, severity, status: as :mod:`stratoplane.incidents` names them.
        escalation: how often the incident has escalated.
        detail: facts as JSON values, without secrets.
    """

    id: UUID
    event: str
    occurred_at: str
    incident_id: UUID
    kind: str
    severity: str
    status: str
    title: str
    escalation: int = 0
    assignee: str = ""
    organization_id: UUID | None = None
    cluster_id: UUID | None = None
    resource_id: UUID | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


@hookspec
def stratoplane_kinds() -> Iterable[AnyKind]:  # type: ignore[empty-body]  # a specification
    """Return the kinds of resources that the plugin adds, one object of each class.

    Called once, when a process loads its plugins. Every process of the control plane must have the plugin enabled:
    the API serves the kind, workers run its jobs, the scheduler compares it. A plugin with a kind that cannot be
    served (its name is taken, its interface cannot be one, something that every kind has is missing) is listed as
    broken with the reason, and none of its hooks is called.
    """


@hookspec
def stratoplane_admit(request: AdmissionRequest) -> Sequence[Violation]:  # type: ignore[empty-body]  # a specification
    """Check a change before it is accepted; any violation of any plugin refuses it.

    Fail-closed: a plugin that raises refuses the request. Called inside the request: no input or output.
    """


@hookspec(firstresult=True)
def stratoplane_place(request: AdmissionRequest, candidates: Sequence[PlacementCandidate]) -> UUID | None:
    """Choose the cluster for a new resource; the first plugin that returns one decides, None leaves it to the next.

    Fail-closed. An id that is not among the candidates refuses the request.
    """


@hookspec
def stratoplane_committed(event: CommittedEvent) -> None:
    """React to a committed change. Fail-open; called by a worker, at least once for each event."""


@hookspec
def stratoplane_notify(notification: Notification) -> None:
    """Send a notification of an incident; called once per plugin and notification, outside of any transaction.

    At least once: a plugin whose answer was lost is called again with the same ``id``. After a
    :class:`~stratoplane.errors.TransientError` the delivery is retried, after its ``retry_after`` or later. After
    any other exception it has failed; operators see the text and may send it again.
    """
