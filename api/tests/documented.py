# SPDX-License-Identifier: Apache-2.0
"""The document and the application that it describes, made once in a test process; both are only read."""

import functools
from typing import Any

from flask import Flask

from stratoplane_api.app import create_documented_app
from stratoplane_api.openapi import document


@functools.cache
def documented_app() -> Flask:
    """Return the application of the public namespaces that connects to nothing."""
    return create_documented_app()


def described() -> dict[str, Any]:
    """Return the document of :func:`documented_app`."""
    return document(documented_app())
