# SPDX-License-Identifier: Apache-2.0
"""Child processes that never outlive their parent, and folders that one process at a time may use."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

_PR_SET_PDEATHSIG: Final = 1
_POLL_SECONDS: Final = 0.01


def spawn(
    command: Sequence[str],
    *,
    log: IO[bytes] | int,
    death_signal: signal.Signals,
    environment: Mapping[str, str] | None = None,
    user: int | None = None,
    group: int | None = None,
    folder: Path | None = None,
    keep_descriptors: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that Ctrl-C in the terminal reaches the parent only.

    On Linux the kernel sends ``death_signal`` to the child when the *thread* that called this ends, so call it from
    a thread that lives as long as the server.

    Args:
        command: program and arguments.
        log: where standard output and standard error go.
        death_signal: what the child receives when this process dies, also by SIGKILL.
        environment: all of the child's variables; None inherits those of this process.
        user: numeric user to become, which needs root.
        group: numeric group to become, which needs root.
        folder: working folder of the child.
        keep_descriptors: open files that the child inherits, such as locks.

    Raises:
        OSError: the program cannot be executed; the caller reports its name.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=environment,
        user=user,
        group=group,
        extra_groups=None if user is None else [],
        start_new_session=True,
        pass_fds=keep_descriptors,
        preexec_fn=die_with_parent(death_signal),  # noqa: PLW1509  # one system call, nothing that takes a lock
    )


def die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """Return what a child calls between fork and exec so that it receives ``number`` when this process ends.

    None on systems without such a call, where a child outlives a parent that was killed by SIGKILL.
    """
    if not sys.platform.startswith("linux"):
        return None
    set_option = ctypes.CDLL(None).prctl  # before the fork: afterwards, loading might wait for a lock
    parent = os.getpid()
    return lambda: _ask_the_kernel(set_option, parent, number)


def end_with(parent: int, number: signal.Signals) -> None:
    """Let the kernel send ``number`` to this process when ``parent``, which forked it, ends; does nothing off Linux."""
    if sys.platform.startswith("linux"):
        _ask_the_kernel(ctypes.CDLL(None).prctl, parent, number)


def _ask_the_kernel(set_option: Callable[[int, int], int], parent: int, number: signal.Signals) -> None:
    set_option(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll ``condition`` every 10 ms until it is true or ``seconds`` have passed; return whether it became true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def end(process: subprocess.Popen[bytes], number: signal.Signals, seconds: float) -> bool:
    """Send ``number``, wait, and kill the process after ``seconds``; return whether it ended by itself."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def take_lock(path: Path, seconds: float) -> int | None:
    """Lock ``path`` and return its open file, or None when another process holds it for longer than ``seconds``.

    The lock lasts until every process that inherited the open file has ended: a server and all of its
    children hold the lock of their folder, and however they end, the lock is released.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if wait_until(lambda: _try_lock(descriptor), seconds):
        return descriptor
    os.close(descriptor)
    return None


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def release(lock: int) -> None:
    """Close this process's copy of a lock; processes that inherited it still hold it."""
    os.close(lock)


def works_in(number: int, folder: Path) -> bool:
    """Return whether process ``number`` is alive with ``folder`` as its working folder, as our servers are.

    The number alone is not enough: numbers are reused, in a container within seconds.
    """
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives
    try:
        return Path(f"/proc/{number}/cwd").samefile(folder)
    except FileNotFoundError:
        return folder.exists() and not Path("/proc/self").exists()  # where nothing tells, believe the number
    except PermissionError:
        return True


def tail(path: Path, lines: int = 15) -> str:
    """Return the last lines of a log, empty if it does not exist yet."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
