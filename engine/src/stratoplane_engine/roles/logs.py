# SPDX-License-Identifier: Apache-2.0
"""Log lines of the control plane's roles: one format, to standard error, where the supervisor collects them."""

import logging
import os
from typing import Final

_FORMAT: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def configure_logging() -> None:
    """Log to standard error at the level of ``STRATOPLANE_LOG_LEVEL`` (default INFO)."""
    level = os.environ.get("STRATOPLANE_LOG_LEVEL", "INFO").upper()
    logging.basicConfig(level=level, format=_FORMAT)
    for noisy in ("rq", "alembic"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
