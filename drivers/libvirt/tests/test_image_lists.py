# SPDX-License-Identifier: Apache-2.0
"""Which images the drivers tell, on libvirt's own test driver: files of the folder, and copies that are in the pool."""

from uuid import UUID

import pytest

libvirt = pytest.importorskip("libvirt", reason="libvirt-python is not installed")

from stratoplane.drivers import AgentContext, AvailableImage  # noqa: E402
from stratoplane.errors import MisconfiguredError  # noqa: E402
from stratoplane.ids import new_id  # noqa: E402
from stratoplane_libvirt import names  # noqa: E402
from stratoplane_libvirt.compute import LibvirtComputeDriver  # noqa: E402
from stratoplane_libvirt.pool import open_pool  # noqa: E402
from stratoplane_libvirt.settings import LibvirtSettings  # noqa: E402
from stratoplane_libvirt.storage import LibvirtStorageDriver  # noqa: E402

POOL = "default-pool"


@pytest.fixture
def copied():
    """The id of an image of which the pool has a complete copy."""
    uid, host = new_id(), libvirt.open("test:///default")
    pool = open_pool(host, POOL)
    pool.create_raw(names.image_name(uid, "raw"), 1024)
    pool.create_raw(names.image_mark_name(uid), 1024)
    yield uid
    pool.delete(names.image_name(uid, "raw"))
    pool.delete(names.image_mark_name(uid))
    host.close()


@pytest.mark.parametrize("kind", [LibvirtComputeDriver, LibvirtStorageDriver])
def test_files_and_copies_are_told_and_nothing_else(kind, copied: UUID, tmp_path):
    folder = tmp_path / "images"
    context = AgentContext(installation_id=new_id(), cluster_id=new_id(), state_folder=tmp_path)
    driver = kind(LibvirtSettings(uri="test:///default", image_folder=folder, pool=POOL), context)
    copy = AvailableImage(uid=copied)
    assert list(driver.list_images(10)) == [copy]

    (folder / "folder.qcow2").mkdir(parents=True)
    for name in ("b.qcow2", "a.qcow2"):
        (folder / name).touch()
    files = [AvailableImage(source="a.qcow2"), AvailableImage(source="b.qcow2")]
    assert list(driver.list_images(10)) == [copy, *files]
    assert list(driver.list_images(2)) == [copy, files[0]]
    assert "images" in driver.features()


def test_a_folder_that_cannot_be_read_is_an_error_and_no_empty_list(tmp_path):
    (tmp_path / "images").touch()
    settings = LibvirtSettings(uri="test:///default", image_folder=tmp_path / "images", pool=POOL)
    context = AgentContext(installation_id=new_id(), cluster_id=new_id(), state_folder=tmp_path)

    with pytest.raises(MisconfiguredError, match="cannot be read"):
        LibvirtComputeDriver(settings, context).list_images(10)
