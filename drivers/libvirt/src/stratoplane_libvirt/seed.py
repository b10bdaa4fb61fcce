# SPDX-License-Identifier: Apache-2.0
"""The seed: a small CD image from which cloud-init in the guest reads its name, keys and user data (NoCloud)."""

import io
import json
import re
from typing import Final

import pycdlib
from pycdlib.pycdlibexception import PyCdlibException

from stratoplane.compute import LARGEST_USER_DATA, MachineSpec
from stratoplane.errors import PermanentError
from stratoplane.texts import size_in_bytes

_LABEL: Final = "cidata"
_NOT_ASCII: Final = re.compile("[\u007f-\uffff]")
_SURROGATES: Final = range(0xD800, 0xE000)


def build_seed(spec: MachineSpec) -> bytes:
    """Return the CD image for ``spec``; user data is included unchanged.

    Raises:
        PermanentError: the user data take more than :data:`stratoplane.compute.LARGEST_USER_DATA` bytes.
    """
    size = size_in_bytes(spec.user_data)
    if size > LARGEST_USER_DATA:
        raise PermanentError(f"the user data have {size} bytes; at most {LARGEST_USER_DATA} are allowed")
    files = {
        "meta-data": _to_json(_meta_data(spec)),
        "user-data": spec.user_data.encode(errors="replace"),
        "network-config": _to_json(_network_config(spec)),
    }
    try:
        return _build_iso(files)
    except PyCdlibException as error:
        raise PermanentError("the seed could not be created", provider_text=str(error)) from error


def _meta_data(spec: MachineSpec) -> dict[str, object]:
    return {
        "instance-id": str(spec.uid),
        "local-hostname": spec.name,
        "public-keys": list(spec.ssh_keys),
    }


def _network_config(spec: MachineSpec) -> dict[str, object]:
    cards = {
        f"card{number}": {"match": {"macaddress": interface.mac}, "dhcp4": True}
        for number, interface in enumerate(spec.interfaces)
    }
    return {"version": 2, "ethernets": cards}


def _to_json(document: dict[str, object]) -> bytes:
    """Return JSON with one member per line, which is also YAML.

    YAML reads an escaped surrogate pair as two characters and rejects raw control characters. So characters above
    U+FFFF stay unescaped, and all others that are not ASCII are escaped.
    """
    text = json.dumps(document, indent=1, ensure_ascii=False)
    return _NOT_ASCII.sub(_escape, text).encode() + b"\n"


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return "\\ufffd" if code in _SURROGATES else f"\\u{code:04x}"


def _build_iso(files: dict[str, bytes]) -> bytes:
    image = pycdlib.PyCdlib()
    image.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=_LABEL)
    for number, (name, content) in enumerate(files.items()):
        image.add_fp(io.BytesIO(content), len(content), f"/FILE{number}.;1", rr_name=name, joliet_path=f"/{name}")
    written = io.BytesIO()
    image.write_fp(written)
    image.close()
    return written.getvalue()
