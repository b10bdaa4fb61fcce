# SPDX-License-Identifier: Apache-2.0
"""Reading a disk image's header before anything else touches the file.

A disk image may refer to other files of the host (backing file, external data file), whose content would reach the
guest. So only plain qcow2 and raw images are accepted, and only in their declared format; see CVE-2015-5163,
CVE-2022-47951, CVE-2024-32498 and CVE-2024-40767.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from stratoplane.errors import PermanentError

_QCOW2 = struct.Struct(">4sIQIIQIIQQIIQ")
_QCOW2_V3 = struct.Struct(">QQQII")
_EXTENSION = struct.Struct(">II")
_QCOW_MAGIC: Final = b"QFI\xfb"

_KNOWN_INCOMPATIBLE: Final = 0b11011
"""Dirty, corrupt, compression type and extended L2 entries; bit 2 is an external data file."""
_DATA_FILE_BIT: Final = 0b100
_CORRUPT_BIT: Final = 0b10
_END_OF_EXTENSIONS: Final = 0
_REFUSED_EXTENSIONS: Final = {
    0xE2792ACA: "a backing file",
    0x44415441: "an external data file",
    0x0537BE77: "encryption",
}
HEADER_BYTES: Final = _QCOW2.size
_LARGEST_HEADER: Final = 1024 * 1024

# Formats by the bytes at an offset. Anything else may be a raw disk.
_MAGICS: Final = (
    (0, _QCOW_MAGIC, "qcow2"),
    (0, b"QED\0", "qed"),
    (0, b"KDMV", "vmdk"),
    (0, b"COWD", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
    (0, b"conectix", "vpc"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"LUKS\xba\xbe", "luks"),
    (0, b"WithoutFreeSpace", "parallels"),
    (0, b"WithouFreSpacExt", "parallels"),
    (0, b"OOOM", "cow"),
    (0x40, b"\x7f\x10\xda\xbe", "vdi"),
    (0x8001, b"CD001", "iso"),
)
_VPC_FOOTER: Final = (512, b"conectix")


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFacts:
    """The content of an image's header: format (``qcow2``, ``raw`` or another) and size of its disk in bytes."""

    format: str
    virtual_size: int


def inspect_image(file: BinaryIO, declared: str) -> ImageFacts:
    """Return the header's content of a seekable image file, whose position is undefined afterwards.

    Raises:
        PermanentError: it is not of the ``declared`` format, refers to other files, is encrypted, damaged or of a
            format that is not supported.
    """
    if declared not in ("qcow2", "raw"):
        raise PermanentError(f"images of format {declared!r} are not supported; convert it to qcow2 or raw")
    found = _detect(file)
    if found != declared:
        raise PermanentError(f"the image was declared as {declared} and is {found}")
    if found == "raw":
        return ImageFacts(format="raw", virtual_size=file.seek(0, os.SEEK_END))
    return ImageFacts(format="qcow2", virtual_size=_inspect_qcow2(file))


def qcow2_size(header: bytes) -> int:
    """Return the size in bytes of the disk in a qcow2 file whose first ``HEADER_BYTES`` are ``header``.

    Raises:
        PermanentError: it is not a qcow2 file.
    """
    if len(header) < _QCOW2.size or not header.startswith(_QCOW_MAGIC):
        raise PermanentError("a copy of an image in the pool is not a qcow2 file; remove it and its mark")
    return int(_QCOW2.unpack(header[: _QCOW2.size])[5])


def _detect(file: BinaryIO) -> str:
    for offset, magic, name in _MAGICS:
        if _read(file, offset, len(magic)) == magic:
            return name
    size = file.seek(0, os.SEEK_END)
    distance, magic = _VPC_FOOTER
    if size >= distance and _read(file, size - distance, len(magic)) == magic:
        return "vpc"
    return "raw"


def _inspect_qcow2(file: BinaryIO) -> int:
    header = _read(file, 0, _QCOW2.size)
    if len(header) < _QCOW2.size:
        raise PermanentError("the image ends within its header")
    _, version, backing_offset, backing_size, cluster_bits, virtual_size, crypt_method, *_ = _QCOW2.unpack(header)
    if version not in (2, 3):
        raise PermanentError(f"the image is qcow version {version}; only qcow2 (2 and 3) is supported")
    if backing_offset or backing_size:
        raise PermanentError("the image refers to a backing file; flatten it first (qemu-img convert)")
    if crypt_method:
        raise PermanentError("the image is encrypted; decrypt it first (qemu-img convert)")
    if not 9 <= cluster_bits <= 21:  # noqa: PLR2004  # limits of the format
        raise PermanentError("the image's header is damaged: impossible cluster size")
    end = _QCOW2.size if version == 2 else _check_version_3(file)  # noqa: PLR2004
    _check_extensions(file, end, 1 << cluster_bits)
    return int(virtual_size)


def _check_version_3(file: BinaryIO) -> int:
    """Refuse incompatible features that are unknown or refer to other files; return where the header ends."""
    header = _read(file, _QCOW2.size, _QCOW2_V3.size)
    if len(header) < _QCOW2_V3.size:
        raise PermanentError("the image ends within its header")
    incompatible, _, _, _, length = _QCOW2_V3.unpack(header)
    if incompatible & _DATA_FILE_BIT:
        raise PermanentError("the image refers to an external data file; make it self-contained (qemu-img convert)")
    if incompatible & _CORRUPT_BIT:
        raise PermanentError("the image is marked as corrupt; repair it first (qemu-img check)")
    if incompatible & ~_KNOWN_INCOMPATIBLE:
        raise PermanentError(f"the image needs unknown features (bits {incompatible:#x})")
    if not _QCOW2.size + _QCOW2_V3.size <= length <= _LARGEST_HEADER:
        raise PermanentError(f"the image's header is damaged: {length} bytes long")
    return int(length)


def _check_extensions(file: BinaryIO, start: int, limit: int) -> None:
    for kind in _extension_kinds(file, start, limit):
        if kind in _REFUSED_EXTENSIONS:
            raise PermanentError(f"the image uses {_REFUSED_EXTENSIONS[kind]}; convert it first (qemu-img convert)")


def _extension_kinds(file: BinaryIO, start: int, limit: int) -> Iterator[int]:
    position = start
    while position + _EXTENSION.size <= limit:
        raw = _read(file, position, _EXTENSION.size)
        if len(raw) < _EXTENSION.size:
            raise PermanentError("the image ends within its header")
        kind, length = _EXTENSION.unpack(raw)
        if kind == _END_OF_EXTENSIONS:
            return
        yield kind
        position += _EXTENSION.size + (length + 7) // 8 * 8


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)
