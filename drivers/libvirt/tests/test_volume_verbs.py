# SPDX-License-Identifier: Apache-2.0
"""The storage driver on libvirt's own test hypervisor, which keeps volumes in memory."""

import dataclasses

import pytest

libvirt = pytest.importorskip("libvirt", reason="libvirt-python is not installed")

from stratoplane.errors import ConflictError, MisconfiguredError, NotFoundError  # noqa: E402  # libvirt may be missing
from stratoplane.ids import new_id  # noqa: E402
from stratoplane.storage import VolumeSpec  # noqa: E402
from stratoplane_libvirt.settings import LibvirtSettings  # noqa: E402
from stratoplane_libvirt.storage import LibvirtStorageDriver  # noqa: E402


@pytest.fixture
def driver(context):
    made = LibvirtStorageDriver(LibvirtSettings(uri="test:///default", pool="default-pool"), context)
    made.prepare()
    return made


@pytest.fixture
def spec():
    return VolumeSpec(uid=new_id(), project_id=new_id(), name="data", size_gib=2)


def test_a_volume_is_made_once_and_removed(driver, spec):
    made = driver.create(spec)
    assert made.drift(spec) == frozenset()
    assert driver.create(spec) == made == driver.observe(spec.uid)
    assert list(driver.list()) == [made]
    for _ in range(2):
        assert driver.delete(spec.uid) is None
    assert driver.observe(spec.uid) is None
    assert list(driver.list()) == []


def test_a_volume_never_shrinks(driver, spec):
    driver.create(spec)
    with pytest.raises(ConflictError, match="cannot shrink"):
        driver.update(dataclasses.replace(spec, size_gib=1))
    assert driver.update(spec).size_gib == 2


def test_another_size_under_the_same_uid_is_a_conflict(driver, spec):
    driver.create(spec)
    with pytest.raises(ConflictError, match="2 GiB"):
        driver.create(dataclasses.replace(spec, size_gib=5))


def test_changing_what_is_absent_says_so(driver, spec):
    with pytest.raises(NotFoundError):
        driver.update(spec)


def test_a_pool_that_does_not_exist_is_the_operators_to_define(context):
    driver = LibvirtStorageDriver(LibvirtSettings(uri="test:///default", pool="absent"), context)
    with pytest.raises(MisconfiguredError, match="absent"):
        driver.prepare()
