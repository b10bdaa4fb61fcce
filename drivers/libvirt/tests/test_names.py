# SPDX-License-Identifier: Apache-2.0
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from stratoplane_libvirt import names

uids = st.uuids()


@given(uids)
def test_network_name_leads_back_to_its_uid(uid):
    assert names.network_uid(names.network_name(uid)) == uid


@given(uids, uids)
def test_volume_name_leads_back_to_its_uid(installation, uid):
    assert names.volume_uid(installation, names.volume_name(installation, uid)) == uid


@given(uids)
def test_the_mark_of_an_image_leads_back_to_its_uid(uid):
    assert names.copied_image(names.image_mark_name(uid)) == uid
    assert names.copied_image(names.image_name(uid, "qcow2")) is None


def test_volumes_of_other_installations_and_other_files_are_not_ours():
    ours, theirs, uid = uuid4(), uuid4(), uuid4()
    assert names.volume_uid(ours, names.volume_name(theirs, uid)) is None
    assert names.volume_uid(ours, names.root_disk_name(ours, uid)) is None
    assert names.volume_uid(ours, names.image_name(uid, "qcow2")) is None
    assert names.volume_uid(ours, names.volume_name(ours, uid).replace("-4", "-x")) is None


def test_what_belongs_to_an_object_of_ours_and_images_are_not_foreign():
    ours, theirs, uid = uuid4(), uuid4(), uuid4()
    own = (names.volume_name(ours, uid), names.root_disk_name(ours, uid), names.seed_name(ours, uid))
    shared = (names.image_name(uid, "qcow2"), names.image_mark_name(uid))
    assert not any(names.is_foreign_volume(ours, name) for name in (*own, *shared, names.probe_name(ours)))
    assert all(names.is_foreign_volume(theirs, name) for name in own)
    assert names.is_foreign_volume(ours, "backup.qcow2")


def test_a_foreign_volume_keeps_its_id():
    pool, other = uuid4(), uuid4()
    assert names.foreign_uid(pool, "a.qcow2") == names.foreign_uid(pool, "a.qcow2")
    assert len({names.foreign_uid(pool, "a.qcow2"), names.foreign_uid(pool, "b"), names.foreign_uid(other, "b")}) == 3


@given(uids)
def test_bridge_name_fits_a_network_device(uid):
    assert len(names.bridge_name(uid).encode()) <= 15
