# SPDX-License-Identifier: Apache-2.0
"""Objects on clusters that the platform does not manage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from stratoplane_client.decode import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignObject(Record):
    """An object at a provider that the platform did not create.

    Attributes:
        reference: the provider's own id of it.
        seen_at: when an agent sent the list that it is on.
    """

    cluster_id: str
    kind: str
    reference: str
    cluster: str = ""
    name: str = ""
    status: Mapping[str, Any] = field(default_factory=dict)
    first_seen_at: datetime | None = None
    seen_at: datetime | None = None
