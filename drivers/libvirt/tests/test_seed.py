# SPDX-License-Identifier: Apache-2.0
import dataclasses
import io
import json

import pycdlib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratoplane.compute import MachineSpec
from stratoplane.errors import PermanentError
from stratoplane.ids import new_id
from stratoplane_libvirt.seed import build_seed

SPEC = MachineSpec(uid=new_id(), project_id=new_id(), name="web-1", vcpus=1, memory_mib=64, root_gib=1)
any_text = st.text(st.characters(categories=None), max_size=60)


def read(seed: bytes, **path: str) -> bytes:
    image = pycdlib.PyCdlib()
    image.open_fp(io.BytesIO(seed))
    content = io.BytesIO()
    image.get_file_from_iso_fp(content, **path)
    image.close()
    return content.getvalue()


def test_the_guest_finds_name_keys_and_user_data(machine_spec):
    seed = build_seed(machine_spec)
    meta = json.loads(read(seed, rr_path="/meta-data"))
    assert meta["instance-id"] == str(machine_spec.uid)
    assert meta["local-hostname"] == machine_spec.name
    assert meta["public-keys"] == list(machine_spec.ssh_keys)
    assert read(seed, rr_path="/user-data") == machine_spec.user_data.encode()


def test_each_card_asks_for_its_address(machine_spec):
    network = json.loads(read(build_seed(machine_spec), rr_path="/network-config"))
    card = {"match": {"macaddress": machine_spec.interfaces[0].mac}, "dhcp4": True}
    assert network == {"version": 2, "ethernets": {"card0": card}}


def test_guests_with_and_without_rock_ridge_read_the_same_names(machine_spec):
    seed = build_seed(machine_spec)
    for name in ("meta-data", "user-data", "network-config"):
        assert read(seed, rr_path=f"/{name}") == read(seed, joliet_path=f"/{name}")


def test_the_volume_is_labelled_for_cloud_init(machine_spec):
    image = pycdlib.PyCdlib()
    image.open_fp(io.BytesIO(build_seed(machine_spec)))
    assert image.pvd.volume_identifier.strip() == b"cidata"
    image.close()


def test_user_data_are_not_touched():
    text = "#!/bin/sh\necho '\u00e4\U0001f600' \\ \r\n\x01\n---\n: {{ jinja }}\n"
    assert read(build_seed(dataclasses.replace(SPEC, user_data=text)), rr_path="/user-data") == text.encode()


def test_too_many_user_data_are_refused():
    with pytest.raises(PermanentError, match="65537 bytes"):
        build_seed(dataclasses.replace(SPEC, user_data="x" * 65537))
    with pytest.raises(PermanentError, match="65538 bytes"):
        build_seed(dataclasses.replace(SPEC, user_data="\u20ac" * 21_846))
    assert build_seed(dataclasses.replace(SPEC, user_data="x" * 65536))
    assert build_seed(dataclasses.replace(SPEC, user_data="\u20ac" * 21_845 + "x"))


@given(any_text, st.lists(any_text, max_size=3))
def test_no_text_of_a_tenant_changes_the_structure_of_the_seed(name, keys):
    raw = read(build_seed(dataclasses.replace(SPEC, name=name, ssh_keys=tuple(keys))), rr_path="/meta-data")
    meta = json.loads(raw)
    assert sorted(meta) == ["instance-id", "local-hostname", "public-keys"]
    assert len(meta["public-keys"]) == len(keys)
    if not any("\ud800" <= character <= "\udfff" for character in name):
        assert meta["local-hostname"] == name
    assert all(code < 0x7F or code >= 0x10000 for code in map(ord, raw.decode()))
