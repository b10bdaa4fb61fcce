# SPDX-License-Identifier: Apache-2.0
"""The audit trail as it is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEvent:
    """One event; ``detail`` is JSON values."""

    id: UUID
    organization_id: UUID | None
    project_id: UUID | None
    action: str
    outcome: str
    actor: str
    subject_id: UUID | None
    subject_name: str
    request_id: str
    trace_id: str
    detail: Mapping[str, object]
    occurred_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditCheckpoint:
    """A signed statement about the beginning of the trail: ``size`` events have the hash ``root``."""

    size: int
    root: bytes
    sealed_at: datetime
    note: str
