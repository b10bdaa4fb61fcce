# SPDX-License-Identifier: Apache-2.0
"""How long a connection may take over what it sends and is sent, and how many files its process may open.

Both servers keep to it. Nothing is imported here: the agents' server begins before gevent has patched the libraries.
"""

import resource
from typing import Final

HEAD_SECONDS: Final = 10.0
"""Within how many seconds a connection must have sent the head of a request that it began."""
BODY_SECONDS: Final = 20.0
"""Within how many seconds of its head a body must have come."""
UNREAD_SECONDS: Final = 30
"""How long a client may leave unread what it was sent."""
IDLE_SHARE: Final = 0.1
"""The share of the time to stop in which connections without a request stay open: what their clients have sent by then
is answered, and they are told to close."""
_OTHER_FILES: Final = 256
"""Files that a process needs beside its connections."""


def room_for(connections: int) -> int:
    """Let this process open files for so many connections, and return for how many it may."""
    wanted = connections + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, soft - _OTHER_FILES)
