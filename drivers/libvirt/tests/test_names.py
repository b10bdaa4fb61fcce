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


def test_volumes_of_other_installations_and_other_files_are_not_ours():
    ours, theirs, uid = uuid4(), uuid4(), uuid4()
    assert names.volume_uid(ours, names.volume_name(theirs, uid)) is None
    assert names.volume_uid(ours, names.root_disk_name(ours, uid)) is None
    assert names.volume_uid(ours, names.image_name(uid, "qcow2")) is None
    assert names.volume_uid(ours, names.volume_name(ours, uid).replace("-4", "-x")) is None


@given(uids)
def test_bridge_name_fits_a_network_device(uid):
    assert len(names.bridge_name(uid).encode()) <= 15
