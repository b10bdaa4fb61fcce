# SPDX-License-Identifier: Apache-2.0
import pytest

from stratoplane.errors import SettingsError
from stratoplane.settings import load
from stratoplane_libvirt.settings import DomainType, LibvirtSettings


def test_defaults_serve_a_local_host():
    settings = load(LibvirtSettings, {}, {})
    assert (settings.uri, settings.pool, settings.domain_type) == ("qemu:///system", "default", DomainType.AUTO)


def test_the_environment_wins_over_the_file():
    environment = {"STRATOPLANE_LIBVIRT_DOMAIN_TYPE": "qemu", "STRATOPLANE_LIBVIRT_URI": "test:///default"}
    settings = load(LibvirtSettings, {"domain_type": "kvm", "pool": "fast"}, environment)
    assert (settings.uri, settings.pool, settings.domain_type) == ("test:///default", "fast", DomainType.QEMU)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"domain_type": "xen"}, "must be one of auto, kvm, qemu"),
        ({"shutdown_grace": -1.0}, "shutdown_grace"),
        ({"vcpu_overcommit": 0}, "vcpu_overcommit"),
        ({"memory_reserve_mib": -1}, "memory_reserve_mib"),
        ({"pools": "default"}, "unknown setting"),
    ],
)
def test_wrong_settings_are_named(table, problem):
    with pytest.raises(SettingsError, match=problem):
        load(LibvirtSettings, table, {})
