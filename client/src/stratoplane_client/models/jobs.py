# SPDX-License-Identifier: Apache-2.0
"""Jobs and the audit trail."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from stratoplane_client.decode import Record

SUCCEEDED: Final = "SUCCEEDED"
ENDED_STATES: Final = frozenset({SUCCEEDED, "FAILED", "CANCELLED"})


@dataclass(frozen=True, kw_only=True, slots=True)
class JobError(Record):
    """Why a job or a step failed; ``provider_text`` is the complete message of the provider.

    Attributes:
        step: the step of the job that failed.
        leaks: steps that could not be undone.
    """

    code: str = ""
    detail: str = ""
    provider_text: str = ""
    step: str = ""
    leaks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class JobProgress(Record):
    """How far a job is: steps ``done`` of ``total``, and the current one."""

    done: int = 0
    total: int = 0
    step: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobStep(Record):
    """One step of a job."""

    name: str
    state: str = ""
    attempts: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    waits_for: str = ""
    error: JobError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Job(Record):
    """A workflow that a change caused.

    Attributes:
        kind: such as ``virtual_machine.create``.
        state: ``PENDING``, ``RUNNING``, ``RETRYING``, ``SUCCEEDED``, ``FAILED`` or ``CANCELLED``.
        output: what the job found, such as ``text`` of a console log.
        cancelled_by: who requested the cancellation; empty when nobody did.
        created_by: such as ``user:alice``.
    """

    id: str
    kind: str = ""
    state: str = ""
    organization_id: str = ""
    project_id: str = ""
    resource_id: str = ""
    resource_kind: str = ""
    resource_name: str = ""
    progress: JobProgress = field(default_factory=JobProgress)
    steps: tuple[JobStep, ...] = ()
    attempts: int = 0
    priority: int = 0
    cancelled_by: str = ""
    error: JobError | None = None
    output: Mapping[str, Any] = field(default_factory=dict)
    created_by: str = ""
    request_id: str = ""
    trace_id: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    deadline_at: datetime | None = None
    next_run_at: datetime | None = None
    cancel_requested_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether the job has reached a final state."""
        return self.state in ENDED_STATES

    @property
    def waits_for(self) -> str:
        """What the job waits for at present, in words for people; empty when it is being carried out or has ended."""
        return "" if self.ended else next((each.waits_for for each in self.steps if each.waits_for), "")

    @property
    def succeeded(self) -> bool:
        """Whether the job succeeded."""
        return self.state == SUCCEEDED


@dataclass(frozen=True, kw_only=True, slots=True)
class JobOperation(Record):
    """One driver call of a job: where it ran, by whom, and what the provider said."""

    id: str
    step: str = ""
    verb: str = ""
    state: str = ""
    epoch: int = 0
    observe_first: bool = False
    cluster: str = ""
    agent: str = ""
    outcome: str = ""
    code: str = ""
    detail: str = ""
    provider_text: str = ""
    created_at: datetime | None = None
    acknowledged_at: datetime | None = None
    finished_at: datetime | None = None
    deadline_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Leak(Record):
    """What a failed job could not undo and may have left at a provider."""

    id: str
    organization_id: str = ""
    project_id: str = ""
    resource_id: str = ""
    kind: str = ""
    name: str = ""
    cluster: str = ""
    job_id: str = ""
    step: str = ""
    detail: str = ""
    found_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEvent(Record):
    """One entry of the audit trail; ``action`` is ``source:subject:action``."""

    id: str
    action: str = ""
    outcome: str = ""
    actor: str = ""
    organization_id: str | None = None
    project_id: str | None = None
    subject_id: str | None = None
    subject_name: str = ""
    request_id: str = ""
    trace_id: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    occurred_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditCheckpoint(Record):
    """A signed statement about the beginning of the audit trail.

    Attributes:
        size: how many events it covers.
        root: their hash by RFC 6962, hexadecimal.
        note: the signed text, to be kept elsewhere; ``stratoplane-server audit verify`` checks a trail against it.
    """

    size: int
    root: str = ""
    sealed_at: datetime | None = None
    note: str = ""
