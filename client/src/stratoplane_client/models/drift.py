# SPDX-License-Identifier: Apache-2.0
"""Drift, drift policies and orphans."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stratoplane_client.decode import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift(Record):
    """A difference between the desired and the observed state; ``ended_at`` is None while it lasts."""

    id: str
    organization_id: str = ""
    project_id: str = ""
    resource_id: str = ""
    kind: str = ""
    name: str = ""
    cluster: str | None = None
    field: str = ""
    desired: Any = None
    observed: Any = None
    policy: str = ""
    corrections: int = 0
    job_id: str | None = None
    found_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftPolicy(Record):
    """What the platform does about drift of one field: ``correct``, ``adopt`` or ``alert``.

    Attributes:
        driver: a driver's name, ``*`` for every driver without a policy of its own.
        is_set: whether an operator has set it.
        allowed: the possible policies, the platform's default first.
    """

    kind: str
    field: str = ""
    driver: str = "*"
    policy: str = ""
    is_set: bool = False
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Orphan(Record):
    """An object that the platform created and that belongs to no resource."""

    uid: str
    kind: str = ""
    name: str = ""
    status: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    cluster_id: str = ""
    cluster: str = ""
    first_seen_at: datetime | None = None
