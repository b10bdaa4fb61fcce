# SPDX-License-Identifier: Apache-2.0
"""Entity tags: ``"<id>.<version>"``, the object's identity and version and nothing else.

A tag is therefore known before the body is made, and a service can compare versions in its own transaction.
"""

import re
from collections.abc import Mapping
from typing import Final

from stratoplane.errors import VersionMismatchError
from stratoplane_api.request_errors import MalformedRequestError

_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e]*)"\s*')
ANY: Final = "*"


def entity_tag(body: Mapping[str, object]) -> str:
    """Return the tag of an answer that has ``id`` and ``version``."""
    return f'"{body["id"]}.{body["version"]}"'


def matches(header: str, tag: str) -> bool:
    """Tell whether an ``If-None-Match`` header names ``tag`` (weak comparison, RFC 9110, section 13.1.2)."""
    opaque = tag.strip('"')
    return header.strip() == ANY or any(found[2] == opaque for found in _TAG.finditer(header))


def expected_version(header: str | None, identity: str) -> int | None:
    """Return the version that ``If-Match`` demands of the object ``identity``, or None when it demands none.

    Raises:
        MalformedRequestError: the header is not one valid entity tag; the caller sends back the one it was given.
        VersionMismatchError: the tags are of another object, or weak; the caller reads the object again.
    """
    if header is None or header.strip() == ANY:
        return None
    tags = _parse(header)
    versions = {version for tag in tags if (version := _version(tag, identity)) is not None}
    if len(versions) > 1:
        raise MalformedRequestError("If-Match takes one version of the object; send back the newest ETag you have")
    if not versions:
        raise VersionMismatchError(
            "If-Match does not name a version of this object; read it again and send back its ETag"
        )
    return versions.pop()


def _version(tag: tuple[bool, str], identity: str) -> int | None:
    weak, opaque = tag
    owner, _, version = opaque.rpartition(".")
    if weak or owner != identity or not (version.isascii() and version.isdigit()):
        return None
    return int(version)


def _parse(header: str) -> list[tuple[bool, str]]:
    tags = []
    for part in header.split(","):
        match = _TAG.fullmatch(part)
        if match is None:
            raise MalformedRequestError(
                'If-Match and If-None-Match take entity tags in double quotes, as in "0198c1d2-….3", or *'
            )
        tags.append((match[1] is not None, match[2]))
    return tags
