# SPDX-License-Identifier: Apache-2.0
"""Processes as the kernel reports them: their identity, age and memory."""

import os
import signal
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_KIB: Final = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessKey:
    """The identity of a process; its number alone is reused for another process sooner or later.

    Attributes:
        pid: the kernel's number.
        started: start time in ticks since boot; 0 if unknown.
    """

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether the process exists and has not ended."""
        stat = _stat(self.pid)
        if stat is None:
            return not _PROC.joinpath("self").exists() and _exists(self.pid)
        return stat.state not in "ZX" and stat.started == self.started

    def send(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def kill_group(self) -> None:
        """Kill the process, and with it the group that it leads, if it leads one."""
        if not self.alive:
            return
        try:
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, signal.SIGKILL)
            else:
                os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stat:
    state: str
    parent: int
    started: int


def key_of(pid: int) -> ProcessKey:
    """Return what identifies the living process ``pid``."""
    stat = _stat(pid)
    return ProcessKey(pid=pid, started=stat.started if stat else 0)


def seconds_running(key: ProcessKey) -> float:
    """Return the age of a living process in seconds, 0 if unknown."""
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - key.started / _TICKS) if key.started else 0.0


def memory_bytes(pid: int, *, descendants: bool = True) -> int | None:
    """Return the memory of ``pid``, and of all its descendants if wanted; pages that several share count once.

    None if unknown.
    """
    children = _children() if descendants else defaultdict(list)
    found: list[int] = []
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        found.append(each)
        waiting += children[each]
    sizes = [size for each in found if (size := _own_memory(each)) is not None]
    return sum(sizes) if sizes else None


def _own_memory(pid: int) -> int | None:
    for name, word in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            lines = _PROC.joinpath(str(pid), name).read_text(encoding="ascii").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        for line in lines:
            if line.startswith(word):
                return int(line.split()[1]) * _KIB
    return None


def _children() -> defaultdict[int, list[int]]:
    table: defaultdict[int, list[int]] = defaultdict(list)
    if not _PROC.exists():
        return table
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and (stat := _stat(int(folder.name))) is not None:
            table[stat.parent].append(int(folder.name))
    return table


def _stat(pid: int) -> _Stat | None:
    try:
        text = _PROC.joinpath(str(pid), "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before may contain spaces and brackets
    return _Stat(state=fields[0], parent=int(fields[1]), started=int(fields[19]))


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
