# SPDX-License-Identifier: Apache-2.0
"""SQL that compares fields: the desired value of a resource ``r`` with the observed one of its object ``v``.

A statement is built once for a set of kinds, so that a kind of a plugin is compared as the built-in ones are.
"""

import functools
import re
from dataclasses import dataclass
from typing import Final

from stratoplane.compared_fields import ComparedField, Comparison
from stratoplane_engine.db.at_rest import HAS_NO_JOB, IS_LISTED_SINCE, IS_SETTLED
from stratoplane_engine.model.drift import ComparedKind

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")

_VOLUMES: Final = """(SELECT coalesce(jsonb_agg(x ORDER BY x), '[]') FROM (
    SELECT jsonb_array_elements_text(r.spec->'volume_ids') AS x
    UNION SELECT r.spec->>'boot_volume_id' WHERE r.spec->>'boot_volume_id' IS NOT NULL) AS wanted)"""
_OBSERVED_VOLUMES: Final = """CASE WHEN v.status ? 'volume_uids' THEN (SELECT coalesce(jsonb_agg(x ORDER BY x), '[]')
    FROM jsonb_array_elements_text(v.status->'volume_uids') AS x) END"""
_VOLUMES_IN_ORDER: Final = """CASE WHEN r.spec->>'boot_volume_id' IS NULL THEN r.spec->'volume_ids'
    ELSE jsonb_build_array(r.spec->'boot_volume_id') || (r.spec->'volume_ids') END"""


@dataclass(frozen=True, kw_only=True, slots=True)
class _FieldSql:
    """SQL for one field.

    Attributes:
        desired: the desired value as JSON.
        observed: the observed one; NULL where the driver does not report it.
        differs: a cheap test that is true whenever the two differ.
    """

    desired: str
    observed: str
    differs: str


def _sql_of(field: ComparedField) -> _FieldSql:
    if field.comparison is Comparison.ATTACHED_VOLUMES:
        differs = f"v.status ? 'volume_uids' AND v.status->'volume_uids' IS DISTINCT FROM {_VOLUMES_IN_ORDER}"
        return _FieldSql(desired=_VOLUMES, observed=_OBSERVED_VOLUMES, differs=differs)
    observed = f"v.status->{_literal(field.name)}"
    if field.comparison is Comparison.NAME:
        desired, observed = "to_jsonb(r.name)", "v.status->'name'"
    elif field.comparison is Comparison.ALWAYS_TRUE:
        desired = "CAST('true' AS jsonb)"
    else:
        desired = f"r.spec->{_literal(field.name)}"
    return _FieldSql(
        desired=desired,
        observed=observed,
        differs=f"{observed} IS NOT NULL AND {desired} IS DISTINCT FROM {observed}",
    )


def _literal(name: str) -> str:
    """Return a name of a kind, a field or an interface as an SQL literal; a plugin may have chosen it."""
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} cannot be compared: a name has letters, digits, '_' and '-' only")
    return f"'{name}'"


def _differences_of(kind: ComparedKind, only: str) -> str:
    fields = [(field, _sql_of(field)) for field in kind.fields]
    values = ", ".join(
        f"({_literal(field.name)}, {sql.desired}, {sql.observed}, '{field.policies[0]}')" for field, sql in fields
    )
    differs = " OR ".join(f"({sql.differs})" for _, sql in fields)
    return f"""
    SELECT r.organization_id, r.project_id, r.id, r.kind, r.name, r.cluster_id, f.field, f.desired, f.observed,
        coalesce(own.policy, every.policy, f.policy) AS policy
    FROM resource r JOIN inventory_report p ON p.cluster_id = r.cluster_id AND p.kind = r.kind
    JOIN inventory v ON v.cluster_id = r.cluster_id AND v.uid = r.id AND v.kind = r.kind
    LEFT JOIN provider d ON d.cluster_id = r.cluster_id AND d.interface = {_literal(kind.interface)}
    CROSS JOIN LATERAL (VALUES {values}) AS f(field, desired, observed, policy)
    LEFT JOIN drift_policy own ON own.kind = r.kind AND own.field = f.field AND own.driver = d.driver
    LEFT JOIN drift_policy every ON every.kind = r.kind AND every.field = f.field AND every.driver = '*'
    WHERE r.kind = {_literal(kind.name)} {only} AND ({differs})
        AND f.observed IS NOT NULL AND f.observed <> 'null' AND f.desired IS DISTINCT FROM f.observed
        AND {IS_SETTLED} AND {IS_LISTED_SINCE} AND {HAS_NO_JOB}
    """


@functools.lru_cache(maxsize=16)
def differences(kinds: tuple[ComparedKind, ...], only: str = "") -> str:
    """Return the query of all differences of resources at rest, with the policy for each.

    Args:
        kinds: what is compared; at least one kind.
        only: a constant condition (``AND ...``) on the resource ``r``.

    Raises:
        ValueError: a name cannot stand in a statement.
    """
    return " UNION ALL ".join(_differences_of(kind, only) for kind in kinds if kind.fields)
