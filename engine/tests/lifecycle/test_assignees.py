# SPDX-License-Identifier: Apache-2.0
"""Who may be said to look at an incident."""

import pytest

from engine.tests.lifecycle.tenant_world import TenantWorld
from engine.tests.lifecycle.test_incidents import assign, finding, report
from stratoplane.errors import InvalidSpecError


def test_only_users_that_there_are_look_at_an_incident(fresh_tenant: TenantWorld) -> None:
    report(fresh_tenant, finding())
    for nobody in ("user:carol", "carol", "user:"):
        with pytest.raises(InvalidSpecError, match="there is no user"):
            assign(fresh_tenant, nobody)
    assert assign(fresh_tenant, "bob").assignee == "user:bob"
    assert assign(fresh_tenant, "").assignee == ""
