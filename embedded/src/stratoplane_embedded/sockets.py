# SPDX-License-Identifier: Apache-2.0
"""A private folder for unix sockets whose path is short enough for the kernel."""

import hashlib
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stratoplane_embedded.errors import EmbeddedError
from stratoplane_embedded.identity import Identity

LONGEST_SOCKET_PATH: Final = 107 if sys.platform.startswith("linux") else 103
_LONGEST_NAME: Final = len("/.s.PGSQL.5432")
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9_./@+~=-]+")


def socket_folder(server: Path, identity: Identity) -> Path:
    """Create and return the folder for the sockets of the server in ``server``, with mode 0700.

    It is ``run`` inside the server's folder. The kernel limits socket paths to 107 bytes, and commas and some other
    characters have a meaning in connection strings; when the path does not fit, the folder is
    ``stratoplane-<user>-<hash of the server's folder>`` in ``$XDG_RUNTIME_DIR`` or the folder for temporary files.

    Args:
        server: the server's own folder, which exists.
        identity: the user that the server runs as, who will own the folder.

    Raises:
        EmbeddedError: another user owns a folder of that name, or no path is short enough.
    """
    for folder in _candidates(server.resolve()):
        if _fits(folder):
            _make_private(folder, identity)
            return folder
    room = LONGEST_SOCKET_PATH - _LONGEST_NAME
    raise EmbeddedError(f"no folder for sockets has a path of at most {room} bytes; set TMPDIR to a shorter one")


def _candidates(server: Path) -> Iterator[Path]:
    yield server / "run"
    name = f"stratoplane-{os.geteuid()}-{hashlib.sha256(os.fsencode(server)).hexdigest()[:12]}"
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime, name)
    yield Path(tempfile.gettempdir(), name)
    yield Path("/tmp", name)  # noqa: S108  # made private below


def _fits(folder: Path) -> bool:
    length = len(os.fsencode(folder)) + _LONGEST_NAME
    writable = os.access(folder.parent, os.W_OK | os.X_OK)
    return length <= LONGEST_SOCKET_PATH and bool(_PLAIN_PATH.fullmatch(str(folder))) and writable


def _make_private(folder: Path, identity: Identity) -> None:
    """Refuse a folder that another user created there: the owner of the folder controls the socket."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), identity.user):
        raise EmbeddedError(f"{folder} belongs to another user; remove it or set TMPDIR")
    folder.chmod(0o700)
    identity.give(folder)
