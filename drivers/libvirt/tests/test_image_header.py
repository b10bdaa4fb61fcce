# SPDX-License-Identifier: Apache-2.0
"""The image corpus: each way by which an image could reach out to the host, and each that only pretends."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratoplane.errors import PermanentError
from stratoplane_libvirt.image_header import HEADER_BYTES, inspect_image, qcow2_size

SIZE = 3 * 1024**3


def qcow2(  # the header's fields
    *,
    version=3,
    backing=0,
    backing_length=0,
    cluster_bits=16,
    crypt=0,
    incompatible=0,
    header_length=104,
    extensions=(),
):
    header = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", version, backing, backing_length, cluster_bits, SIZE, crypt, 1, 0, 0, 0, 0, 0
    )
    if version == 3:
        header += struct.pack(">QQQII", incompatible, 0, 0, 4, header_length)
    for kind, content in extensions:
        header += struct.pack(">II", kind, len(content)) + content.ljust(-(-len(content) // 8) * 8, b"\0")
    return (header + bytes(8)).ljust(65536, b"\0")


def inspect(content, declared="qcow2"):
    return inspect_image(io.BytesIO(content), declared)


@pytest.mark.parametrize("version", [2, 3])
def test_plain_qcow2_is_taken_with_the_size_of_its_disk(version):
    assert inspect(qcow2(version=version)).virtual_size == SIZE


def test_harmless_features_are_taken():
    zstd_and_dirty = 0b1001
    feature_names = (0x6803F857, b"names of features")
    bitmaps = (0x23852875, bytes(24))
    assert inspect(qcow2(incompatible=zstd_and_dirty, extensions=[feature_names, bitmaps])).format == "qcow2"


def test_raw_is_taken_with_its_length():
    assert inspect(bytes(510) + b"\x55\xaa" + bytes(512), "raw").virtual_size == 1024


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(qcow2(backing=112, backing_length=11), "backing file", id="backing file"),
        pytest.param(qcow2(version=2, backing=72, backing_length=11), "backing file", id="backing file in version 2"),
        pytest.param(qcow2(backing_length=11), "backing file", id="backing file length alone"),
        pytest.param(qcow2(extensions=[(0xE2792ACA, b"raw")]), "backing file", id="backing format alone"),
        pytest.param(qcow2(incompatible=0b100), "data file", id="external data file bit"),
        pytest.param(qcow2(extensions=[(0x44415441, b"/etc/shadow")]), "data file", id="external data file name"),
        pytest.param(
            qcow2(extensions=[(0x6803F857, b"x"), (0x44415441, b"/etc/shadow")]), "data file", id="behind another"
        ),
        pytest.param(qcow2(crypt=1), "encrypted", id="AES"),
        pytest.param(qcow2(crypt=2), "encrypted", id="LUKS"),
        pytest.param(qcow2(extensions=[(0x0537BE77, bytes(16))]), "encryption", id="LUKS header"),
        pytest.param(qcow2(incompatible=0b10), "corrupt", id="corrupt"),
        pytest.param(qcow2(incompatible=1 << 40), "unknown features", id="feature of the future"),
        pytest.param(qcow2(cluster_bits=60), "cluster size", id="cluster size"),
        pytest.param(qcow2(header_length=2**31), "damaged", id="header length"),
        pytest.param(qcow2(version=1), "version 1", id="qcow"),
        pytest.param(qcow2(version=9), "version 9", id="qcow of the future"),
        pytest.param(qcow2()[:40], "ends within", id="cut short"),
        pytest.param(qcow2()[:90], "ends within", id="cut short in version 3"),
        pytest.param(b"", "is raw", id="empty"),
    ],
)
def test_qcow2_that_reaches_out_or_is_damaged_is_refused(content, reason):
    with pytest.raises(PermanentError, match=reason):
        inspect(content)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(qcow2(), id="qcow2"),
        pytest.param(qcow2(backing=112, backing_length=11), id="qcow2 with backing file"),
        pytest.param(b"QED\0" + bytes(600), id="qed"),
        pytest.param(b"KDMV" + bytes(600), id="vmdk"),
        pytest.param(b"COWD" + bytes(600), id="vmdk of ESX"),
        pytest.param(b'# Disk DescriptorFile\nRW 1 FLAT "/etc/shadow" 0\n' + bytes(600), id="vmdk descriptor"),
        pytest.param(b"conectix" + bytes(600), id="vhd"),
        pytest.param(bytes(1024) + b"conectix" + bytes(504), id="vhd with a footer only"),
        pytest.param(b"vhdxfile" + bytes(600), id="vhdx"),
        pytest.param(bytes(0x40) + b"\x7f\x10\xda\xbe" + bytes(600), id="vdi"),
        pytest.param(b"LUKS\xba\xbe" + bytes(600), id="luks"),
        pytest.param(b"WithoutFreeSpace" + bytes(600), id="parallels"),
        pytest.param(bytes(0x8001) + b"CD001" + bytes(600), id="iso"),
    ],
)
def test_what_is_declared_raw_must_not_be_another_format(content):
    with pytest.raises(PermanentError, match="declared as raw"):
        inspect(content, "raw")


@pytest.mark.parametrize("declared", ["vmdk", "", "QCOW2", "iso"])
def test_other_formats_are_not_taken(declared):
    with pytest.raises(PermanentError, match="not supported"):
        inspect(bytes(1024), declared)


@given(st.binary(max_size=300))
def test_no_content_makes_the_inspector_fail_otherwise_than_by_refusing(tail):
    for declared in ("qcow2", "raw"):
        for content in (tail, b"QFI\xfb" + tail, qcow2()[:104] + tail):
            try:
                inspect(content, declared)
            except PermanentError as error:
                assert error.detail  # noqa: PT017  # refusing is one of two good answers


def test_size_is_read_from_the_first_bytes():
    assert qcow2_size(qcow2()[:HEADER_BYTES]) == SIZE
    with pytest.raises(PermanentError):
        qcow2_size(b"QFI\xfb")
