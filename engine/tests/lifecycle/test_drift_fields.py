# SPDX-License-Identifier: Apache-2.0
"""The statement that compares fields: right for every value, and open to the kinds and fields of plugins."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratoplane.compared_fields import ComparedField, Comparison, DriftPolicy
from stratoplane_engine.db import drift
from stratoplane_engine.db.drift_fields import differences
from stratoplane_engine.drift.reconciler import reconcile
from stratoplane_engine.model.drift import ComparedKind

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


def test_a_field_that_only_a_plugin_compares_is_found(fresh_tenant: "TenantWorld") -> None:
    volume = fresh_tenant.made("volume", size_gib=3)
    fresh_tenant.execute('UPDATE resource SET spec = spec || \'{"colour": "red"}\'')
    fresh_tenant.list_objects(colour="blue", sealed=False)
    colour = ComparedField(name="colour", policies=(DriftPolicy.ALERT,))
    sealed = ComparedField(name="sealed", policies=(DriftPolicy.CORRECT,), comparison=Comparison.ALWAYS_TRUE)
    kinds = (ComparedKind(name="volume", interface="storage", fields=(colour, sealed)),)
    with fresh_tenant.database.system() as connection:
        found = drift.record(connection, kinds, since=None, limit=10).new
    assert {(each.field, each.desired, each.observed, each.policy) for each in found} == {
        ("colour", "red", "blue", DriftPolicy.ALERT),
        ("sealed", True, False, DriftPolicy.CORRECT),
    }
    assert {each.id for each in found} == {volume.resource.id}


@pytest.mark.parametrize("name", ["", "a'b", "a:b", "a b", "a;--", "\u00fc"])
def test_a_name_that_cannot_stand_in_a_statement_is_refused(name: str) -> None:
    field = ComparedField(name=name, policies=(DriftPolicy.ALERT,))
    with pytest.raises(ValueError, match="cannot be compared"):
        differences((ComparedKind(name="volume", interface="storage", fields=(field,)),))


VALUES = {
    "power": st.sampled_from(["RUNNING", "STOPPED"]),
    "vcpus": st.integers(1, 3),
    "memory_mib": st.sampled_from([512, 1024]),
    "volume_uids": st.lists(st.sampled_from([str(UUID(int=n)) for n in range(3)]), unique=True),
    "name": st.sampled_from(["it", "other"]),
}


@settings(suppress_health_check=list(HealthCheck))
@given(observed=st.fixed_dictionaries({}, optional=VALUES), desired=st.fixed_dictionaries(VALUES))
def test_the_statement_finds_what_a_plain_comparison_finds(
    fresh_tenant: "TenantWorld", observed: dict[str, Any], desired: dict[str, Any]
) -> None:
    fresh_tenant.execute("DELETE FROM drift")
    fresh_tenant.execute("DELETE FROM job WHERE actor = 'reconciler'")
    known = fresh_tenant.rows("SELECT id FROM resource WHERE kind = 'virtual_machine'")
    identifier = known[0]["id"] if known else fresh_tenant.made("virtual_machine").resource.id
    spec = {name: value for name, value in desired.items() if name not in {"volume_uids", "name"}}
    fresh_tenant.execute(
        "UPDATE resource SET name = :name, status = 'RUNNING', updated_at = clock_timestamp() - interval '1 minute',"
        " spec = spec || CAST(:spec AS jsonb) WHERE id = :id",
        name=desired["name"],
        spec=orjson.dumps({**spec, "volume_ids": desired["volume_uids"]}).decode(),
        id=identifier,
    )
    fresh_tenant.agent.list_inventory({identifier: ("virtual_machine", observed)})
    reconcile(fresh_tenant.database)

    def plain(values: dict[str, Any], name: str) -> Any:
        return sorted(values[name]) if name == "volume_uids" else values[name]

    expected = {name for name in observed if plain(observed, name) != plain(desired, name)}
    assert {row["field"] for row in fresh_tenant.rows("SELECT field FROM drift")} == {
        "volumes" if name == "volume_uids" else name for name in expected
    }
