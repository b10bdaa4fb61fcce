# SPDX-License-Identifier: Apache-2.0
"""What of a resource is compared with what its cluster shows, and what may be done about a difference."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class DriftPolicy(StrEnum):
    """What is done about a difference."""

    CORRECT = "correct"
    """A job brings the object back to what is desired."""
    ADOPT = "adopt"
    """What is observed becomes what is desired."""
    ALERT = "alert"
    """Nothing is done; an incident tells of it."""


_CORRECT, _ADOPT, _ALERT = DriftPolicy.CORRECT, DriftPolicy.ADOPT, DriftPolicy.ALERT


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparable:
    """One field of one kind.

    Attributes:
        desired: SQL for the desired value as JSON, over the resource ``r``.
        observed: SQL for the observed one, over the inventory ``v``; NULL where the driver does not report it.
        policies: those that make sense, the default first. Nothing is corrected that drivers cannot set, and nothing
            adopted that a resource could not be asked for.
        differs: SQL for a cheaper test that is true whenever the two differ; the plain comparison if empty.
    """

    kind: str
    field: str
    desired: str
    observed: str
    policies: tuple[DriftPolicy, ...]
    differs: str = ""


_ATTACHED: Final = """(SELECT coalesce(jsonb_agg(x ORDER BY x), '[]') FROM (
    SELECT jsonb_array_elements_text(r.spec->'volume_ids') AS x
    UNION SELECT r.spec->>'boot_volume_id' WHERE r.spec->>'boot_volume_id' IS NOT NULL) AS wanted)"""
_SEEN_ATTACHED: Final = """CASE WHEN v.status ? 'volume_uids' THEN (SELECT coalesce(jsonb_agg(x ORDER BY x), '[]')
    FROM jsonb_array_elements_text(v.status->'volume_uids') AS x) END"""
_ATTACHED_IN_ORDER: Final = """CASE WHEN r.spec->>'boot_volume_id' IS NULL THEN r.spec->'volume_ids'
    ELSE jsonb_build_array(r.spec->'boot_volume_id') || (r.spec->'volume_ids') END"""


def _member(kind: str, field: str, *policies: DriftPolicy) -> Comparable:
    """Return a field that has the same name in the specification and in what drivers report."""
    return Comparable(
        kind=kind, field=field, desired=f"r.spec->'{field}'", observed=f"v.status->'{field}'", policies=policies
    )


def _name(kind: str, *policies: DriftPolicy) -> Comparable:
    return Comparable(
        kind=kind, field="name", desired="to_jsonb(r.name)", observed="v.status->'name'", policies=policies
    )


COMPARABLE: Final = (
    _member("virtual_machine", "power", _CORRECT, _ADOPT, _ALERT),
    _name("virtual_machine", _CORRECT, _ALERT),
    _member("virtual_machine", "vcpus", _ALERT),
    _member("virtual_machine", "memory_mib", _ALERT),
    Comparable(
        kind="virtual_machine",
        field="volumes",
        desired=_ATTACHED,
        observed=_SEEN_ATTACHED,
        policies=(_CORRECT, _ALERT),
        differs=f"v.status ? 'volume_uids' AND v.status->'volume_uids' IS DISTINCT FROM {_ATTACHED_IN_ORDER}",
    ),
    _name("volume", _CORRECT, _ALERT),
    _member("volume", "size_gib", _ALERT, _ADOPT),
    _name("network", _CORRECT, _ALERT),
    _member("network", "cidr", _ALERT),
    _member("network", "gateway", _ALERT),
    _member("network", "mode", _ALERT),
    Comparable(
        kind="network",
        field="active",
        desired="CAST('true' AS jsonb)",
        observed="v.status->'active'",
        policies=(_CORRECT, _ALERT),
    ),
    _name("bucket", _ALERT),
)
"""Every field that is compared."""

BY_FIELD: Final = {(each.kind, each.field): each for each in COMPARABLE}
