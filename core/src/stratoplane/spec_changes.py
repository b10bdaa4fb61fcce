# SPDX-License-Identifier: Apache-2.0
"""What can be asked of an existing resource: a kind declares it, and jobs, their steps and dry runs are told by it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

UPDATE: Final = "update"
"""The driver's verb for whatever has none of its own, and the name of a job that does several different things."""

RESERVED_VERBS: Final = frozenset(
    {
        *("adopt", "apply", "await_targets", "clear", "correct", "create", "delete", "find", "provision", "read"),
        *("read_console", "reboot", "recover", "release", "remove", "take", UPDATE),
    }
)
"""What jobs and steps are called that are no change of one thing."""


class Interruption(StrEnum):
    """What a change does to a resource that runs."""

    STOP = "STOP"
    """It is stopped, and stays so."""
    RESTART = "RESTART"
    """It is stopped and started again."""


def _wherever_they_differ(_before: Any, _after: Any) -> bool:  # specs of any kind
    return True


@dataclass(frozen=True, kw_only=True, slots=True)
class SpecChange:
    """One thing that can be asked of an existing resource.

    Attributes:
        verb: what its job is called, behind the kind's name, and the job's step: ``stop`` makes the job
            ``virtual_machine.stop``.
        members: those members of the spec that it is about; it is asked for where one of them becomes another.
        applies: tells by the specs before and after whether it is this change of them, where they have several.
        driver_verb: the driver's verb for it, if ``update`` does not do it. It comes before that verb where a request
            asks for both.
        interruption: what it does to a resource that runs, None if nothing;
        live: feature of the drivers that do it without that.
    """

    verb: str
    members: tuple[str, ...]
    applies: Callable[[Any, Any], bool] = _wherever_they_differ
    driver_verb: str = UPDATE
    interruption: Interruption | None = None
    live: str = ""


RENAME: Final = SpecChange(verb="rename", members=("name",))
"""Another name. It is not a member of the spec, and every kind has it."""
