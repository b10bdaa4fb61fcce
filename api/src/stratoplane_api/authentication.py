# SPDX-License-Identifier: Apache-2.0
"""The bearer token of a request, and a name for it that is no secret."""

import hashlib
import re
from typing import Final

from stratoplane.errors import AuthenticationFailedError

_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/-]{1,512}=*) *", re.IGNORECASE)
_MISSING: Final = "send a token as 'Authorization: Bearer <token>'; POST /api/common/v1/login gives one"


def bearer_token(header: str | None) -> str:
    """Return the token of an ``Authorization`` header (RFC 6750).

    Raises:
        AuthenticationFailedError: there is none, or another scheme; the caller logs in.
    """
    match = _BEARER.fullmatch(header or "")
    if match is None:
        raise AuthenticationFailedError(_MISSING)
    return match[1]


def credential_name(header: str | None, address: str | None) -> str:
    """Return what to count the caller's requests under: a digest of its token, or its address without one."""
    match = _BEARER.fullmatch(header or "")
    if match is None:
        return f"address:{address or 'unknown'}"
    return hashlib.sha256(match[1].encode()).hexdigest()[:32]
