# SPDX-License-Identifier: Apache-2.0
"""``Idempotency-Key``: the caller's name for one request, and the fingerprint of what was asked under it.

The engine keeps key and answer in the transaction of the change itself; here they are only read.
"""

import hashlib
import re
from typing import Final

import orjson

from stratoplane_api.request_errors import MalformedRequestError

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotency-Replayed"

_QUOTED = re.compile(r'"([\x20-\x21\x23-\x5b\x5d-\x7e]{1,255})"')
_BARE = re.compile(r"[\x21\x23-\x7e]{1,255}")


def read_key(header: str | None) -> str | None:
    """Return the key, written as a structured-field string (``"abc"``) or bare (``abc``); None when absent.

    Raises:
        MalformedRequestError: empty, over 255 characters or not printable ASCII; the caller makes another key.
    """
    if header is None:
        return None
    text = header.strip()
    quoted = _QUOTED.fullmatch(text)
    if quoted is not None:
        return quoted[1]
    if _BARE.fullmatch(text) is None:
        raise MalformedRequestError("Idempotency-Key must be 1 to 255 printable ASCII characters; a UUID serves well")
    return text


def fingerprint(method: str, target: str, body: object) -> str:
    """Return the SHA-256 of a request.

    Args:
        method: HTTP method.
        target: path and query of the request.
        body: the decoded JSON, so that white space and the order of members make no difference.
    """
    digest = hashlib.sha256(f"{method} {target}\n".encode())
    digest.update(orjson.dumps(body, option=orjson.OPT_SORT_KEYS))
    return digest.hexdigest()
