# SPDX-License-Identifier: Apache-2.0
"""The user that PostgreSQL runs as: it refuses root, which uses a user namespace or another account instead."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stratoplane_embedded.errors import IdentityError

_NAMESPACE: Final = ("--user", "--map-user=1000", "--")
_PROBE_SECONDS: Final = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """How to run a program as a user other than root.

    Attributes:
        prefix: arguments in front of the program's command.
        user: numeric user to become, None to stay the same.
        group: numeric group to become.
    """

    prefix: tuple[str, ...] = ()
    user: int | None = None
    group: int | None = None

    def run(
        self,
        command: Sequence[str],
        *,
        text: str = "",
        seconds: float,
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``command`` in ``folder`` with ``text`` as its input, wait up to ``seconds``, and return its output.

        Raises:
            OSError, subprocess.TimeoutExpired: it cannot be executed, or takes longer.
        """
        return subprocess.run(
            [*self.prefix, *command],
            input=text,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            cwd=folder,
            env=environment,
            user=self.user,
            group=self.group,
            extra_groups=None if self.user is None else [],
        )

    def give(self, folder: Path) -> None:
        """Make the server's user the owner of ``folder`` and its content, unless it already is."""
        if self.user is None or self.group is None or folder.stat().st_uid == self.user:
            return
        os.chown(folder, self.user, self.group)
        for parent, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.chown(Path(parent, name), self.user, self.group, follow_symlinks=False)

    def open_way(self, folder: Path) -> None:
        """Let the server's user pass through ``folder`` without reading its content."""
        if self.user is not None and self.group is not None:
            os.chown(folder, self.user, self.group)


def choose_identity(program: Path, folder: Path, data: Path) -> Identity:
    """Choose how to run ``program`` in the server's ``folder``, which exists, on ``data``, which may not exist yet.

    An ordinary user runs it directly. Root tries, in this order: the owner of the data if that is not root,
    a user namespace, in which the files stay root's and nothing is created on the system, and the account ``nobody``.

    Raises:
        IdentityError: we are root and none of these works; the text says why each does not.
    """
    if os.geteuid() != 0:
        return Identity()
    owner = (data if data.exists() else folder).stat()
    if owner.st_uid != 0:
        return Identity(user=owner.st_uid, group=owner.st_gid)
    reasons: list[str] = []
    for candidate in (_in_namespace(), _as_nobody()):
        if candidate is None:
            continue
        reason = _why_not(candidate, program, folder)
        if not reason:
            return candidate
        reasons.append(reason)
    raise IdentityError(
        "PostgreSQL does not run as root, and neither a user namespace nor the account nobody can be used here "
        f"({'; '.join(reasons) or 'unshare and nobody are both missing'}); start as an ordinary user"
    )


def _in_namespace() -> Identity | None:
    unshare = shutil.which("unshare")
    return Identity(prefix=(unshare, *_NAMESPACE)) if unshare else None


def _as_nobody() -> Identity | None:
    try:
        account = pwd.getpwnam("nobody")
    except KeyError:
        return None
    return Identity(user=account.pw_uid, group=account.pw_gid)


def _why_not(identity: Identity, program: Path, folder: Path) -> str:
    """Return an empty text when ``identity`` can execute the program and reach the folder, else the reason."""
    script = 'cd "$1" && exec "$2" --version'
    command = ["/bin/sh", "-c", script, "sh", str(folder.parent), str(program)]
    name = (*identity.prefix, "nobody")[0]
    try:
        done = identity.run(command, seconds=_PROBE_SECONDS, folder=Path("/"))
    except (OSError, subprocess.SubprocessError) as error:
        return f"{name}: {error}"
    return "" if done.returncode == 0 else done.stderr.strip() or f"{name}: exit code {done.returncode}"
