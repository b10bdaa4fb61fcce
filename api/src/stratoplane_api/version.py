# SPDX-License-Identifier: Apache-2.0
"""Which version of the API is served, and of the distribution that serves it."""

import functools
from importlib.metadata import version
from typing import Final

OPENAPI_VERSION: Final = "3.1.0"
API_VERSION: Final = "v1"
DISTRIBUTION: Final = "stratoplane-api"


@functools.cache
def installed_version() -> str:
    """Return the version of the gateway's distribution."""
    return version(DISTRIBUTION)
