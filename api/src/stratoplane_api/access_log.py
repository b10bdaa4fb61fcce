# SPDX-License-Identifier: Apache-2.0
"""One log line for each request: changes and refusals at INFO, mere reading at DEBUG. Never a query or a body."""

import logging
import time
from http import HTTPStatus

from flask import Flask, Response, g, request

from stratoplane_api.tracing import Trace

_log = logging.getLogger(__name__)
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def register(app: Flask) -> None:
    """Log every request of ``app``."""

    @app.before_request
    def begin() -> None:
        g.began = time.monotonic()

    @app.after_request
    def write(response: Response) -> Response:
        quiet = request.method in _READING and response.status_code < HTTPStatus.BAD_REQUEST
        level = logging.DEBUG if quiet else logging.INFO
        if _log.isEnabledFor(level):
            _log.log(level, "%s", _line(response))
        return response


def _line(response: Response) -> str:
    trace: Trace = g.trace
    milliseconds = (time.monotonic() - g.began) * 1000
    who = getattr(g.get("actor"), "name", "-")
    return (
        f"{request.method} {request.path!a} {response.status_code} {milliseconds:.1f} ms "
        f"actor={who} request={trace.request_id} trace={trace.trace_id}"
    )
