# SPDX-License-Identifier: Apache-2.0
"""Settings that cannot be used are refused by name."""

import pytest

from stratoplane.errors import SettingsError
from stratoplane.settings import load
from stratoplane_api.settings import ApiSettings


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("STRATOPLANE_API_POOL_SIZE", "0"),
        ("STRATOPLANE_API_RATE_SECONDS", "0"),
        ("STRATOPLANE_API_WAITING_REQUESTS", "-1"),
        ("STRATOPLANE_API_TRUSTED_PROXIES", "-1"),
        ("STRATOPLANE_API_INVENTORY_SECONDS", "0.5"),
        ("STRATOPLANE_API_POOL_SIZE", "many"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(variable, value):
    name = variable.removeprefix("STRATOPLANE_API_").lower()
    environment = {"STRATOPLANE_DATABASE_URL": "postgresql://nowhere/none", variable: value}

    with pytest.raises(SettingsError, match=name):
        load(ApiSettings, {}, environment)


def test_a_database_must_be_named():
    with pytest.raises(SettingsError, match="database_url"):
        load(ApiSettings, {}, {})
