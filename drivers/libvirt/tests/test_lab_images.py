# SPDX-License-Identifier: Apache-2.0
"""Images on a real libvirt: only whole, plain and declared ones get into the pool."""

import dataclasses
import hashlib
import os
import subprocess

import pytest

pytest.importorskip("libvirt", reason="libvirt-python is not installed")

from stratoplane.errors import MisconfiguredError, NotFoundError, PermanentError
from stratoplane.ids import new_id
from stratoplane.resources import PowerState
from stratoplane_libvirt import names
from stratoplane_libvirt.pool import open_pool


@pytest.fixture
def folder(cluster, tmp_path):
    made = tmp_path / "images"
    made.mkdir()
    return made


@pytest.fixture
def picky(cluster, folder):
    """Drivers whose image folder is the test's own."""
    made = cluster.with_settings(image_folder=folder)
    yield made
    made.host.close()


@pytest.fixture
def create(picky, guest):
    """Create a stopped machine from an image of the test's folder."""

    def make(source, **changes):
        image = dataclasses.replace(guest.image, **{"uid": new_id(), "source": source, **changes})
        spec = dataclasses.replace(guest, image=image, power=PowerState.STOPPED)
        picky.settle(picky.compute.create, spec)
        return image

    return make


def qemu_img(*arguments):
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *arguments], check=True)


@pytest.mark.parametrize("form", ["qcow2", "raw"])
def test_an_image_is_copied_whole_and_marked(picky, create, folder, form):
    path = folder / "disk"
    path.write_bytes(os.urandom(3_000_000) + bytes(145_728))
    if form == "qcow2":
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", path, folder / "converted"], check=True)
        path = path.with_name("converted")
    image = create(path.name, format=form, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    pool = open_pool(picky.host, picky.settings.pool)
    name = names.image_name(image.uid, form)
    assert pool.read(name, 0, 0) == path.read_bytes()
    assert names.image_mark_name(image.uid) in pool.names()


def test_an_image_with_a_backing_file_is_refused(picky, create, folder):
    qemu_img("-b", "/etc/hostname", "-F", "raw", str(folder / "hostile"), "1M")
    uid = new_id()
    with pytest.raises(PermanentError, match="backing file"):
        create("hostile", uid=uid)
    assert not any(str(uid) in name for name in open_pool(picky.host, picky.settings.pool).names())
    assert picky.files() == set()
    assert list(picky.compute.list()) == []


def test_an_image_with_a_data_file_is_refused(create, folder):
    qemu_img("-o", f"data_file={folder / 'outside.raw'},data_file_raw=on", str(folder / "hostile"), "1M")
    with pytest.raises(PermanentError, match="data file"):
        create("hostile")


def test_an_encrypted_image_is_refused(create, folder):
    secret = ["--object", "secret,id=key,data=letmein"]
    qemu_img(*secret, "-o", "encrypt.format=aes,encrypt.key-secret=key", str(folder / "e"), "1M")
    with pytest.raises(PermanentError, match="encrypted"):
        create("e")


def test_a_qcow2_that_was_declared_raw_is_refused(create, folder):
    qemu_img(str(folder / "disk"), "1M")
    with pytest.raises(PermanentError, match="declared as raw"):
        create("disk", format="raw")


def test_an_image_larger_than_the_root_disk_is_refused(create, folder):
    qemu_img(str(folder / "disk"), "5G")
    with pytest.raises(PermanentError, match="5 GiB"):
        create("disk")


def test_an_image_with_another_digest_is_refused(create, folder):
    qemu_img(str(folder / "disk"), "1M")
    with pytest.raises(PermanentError, match="SHA-256"):
        create("disk", sha256="0" * 64)


@pytest.mark.parametrize("source", ["", ".", "..", "../secret", "/etc/hostname", "a/b", "a\0b"])
def test_names_that_lead_out_of_the_folder_are_refused(create, source):
    with pytest.raises(PermanentError, match="name of a file"):
        create(source)


def test_an_image_that_is_not_there_is_named(create, folder):
    (folder / "folder").mkdir()
    for source in ("absent", "folder"):
        with pytest.raises(NotFoundError, match=source):
            create(source)


def test_an_image_that_cannot_be_read_is_the_operators_to_repair(create, folder):
    (folder / "loop").symlink_to("loop")
    with pytest.raises(MisconfiguredError, match="loop"):
        create("loop")


def test_a_copy_that_was_cut_off_is_made_again(picky, create, folder):
    qemu_img(str(folder / "disk"), "1M")
    uid = new_id()
    pool = open_pool(picky.host, picky.settings.pool)
    pool.replace_with_bytes(names.image_name(uid, "qcow2"), b"half of it")
    create("disk", uid=uid)
    assert pool.read(names.image_name(uid, "qcow2"), 0, 0) == (folder / "disk").read_bytes()
