# SPDX-License-Identifier: Apache-2.0
"""Jobs: states, steps and what a step may answer.

A workflow is a tuple of :class:`Step`. The runner calls ``run`` with everything the step may look at and acts on the
answer: :class:`Done` goes on, :class:`Wait` comes back later, :class:`Dispatch` asks the cluster's agent and goes on
with its result. A step does no input or output of its own, so it may be called again after any crash.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Generic, TypeVar


class JobState(StrEnum):
    """Where a job is. What each means after a crash is said with it."""

    PENDING = "PENDING"
    """Accepted, no step has begun. After a crash: claimed by any worker."""
    RUNNING = "RUNNING"
    """A worker or an agent works on it. After a crash: the lease ends and it is claimed with the next epoch."""
    RETRYING = "RETRYING"
    """A step met a transient error and will be repeated. After a crash: claimed when its time has come."""
    SUCCEEDED = "SUCCEEDED"
    """Every step is done. Final."""
    FAILED = "FAILED"
    """It cannot succeed; finished steps were undone. Final."""
    CANCELLED = "CANCELLED"
    """Stopped on request before its effect; finished steps were undone. Final."""


_J = JobState

TRANSITIONS: Final[Mapping[JobState, frozenset[JobState]]] = MappingProxyType(
    {
        _J.PENDING: frozenset({_J.RUNNING, _J.CANCELLED}),
        _J.RUNNING: frozenset({_J.RUNNING, _J.RETRYING, _J.SUCCEEDED, _J.FAILED, _J.CANCELLED}),
        _J.RETRYING: frozenset({_J.RUNNING, _J.FAILED, _J.CANCELLED}),
        _J.SUCCEEDED: frozenset(),
        _J.FAILED: frozenset(),
        _J.CANCELLED: frozenset(),
    }
)

TERMINAL: Final = frozenset(state for state, following in TRANSITIONS.items() if not following)
"""States that nothing leaves."""

LIVE: Final = frozenset(TRANSITIONS) - TERMINAL
"""States that a worker, an agent or the clock will move."""


class StepState(StrEnum):
    """Where one step of a job is."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    UNDONE = "UNDONE"


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """The step's work is finished; ``output`` (JSON values) is stored and offered to later steps."""

    output: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """Not finished: call again after ``seconds``.

    Attributes:
        seconds: when to look again, at the latest.
        token: the caller's own bookmark (JSON value), given back with the next call.
        reason: what is waited for, shown to people.
    """

    seconds: float
    token: Mapping[str, object] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dispatch:
    """Ask the agent of the resource's cluster for one driver call; the step goes on with its result.

    Attributes:
        verb: what the agent does (``create``, ``update``, ``delete``, ``observe``, or an optional ability's verb).
        spec: the driver's specification as JSON values.
    """

    verb: str
    spec: Mapping[str, object] = field(default_factory=dict)


ContextT = TypeVar("ContextT")
StepAnswer = Done | Wait | Dispatch


@dataclass(frozen=True, kw_only=True, slots=True)
class Step(Generic[ContextT]):
    """One step of a workflow.

    Attributes:
        name: unique in the workflow; stored with the result, so that a retry skips what is done.
        run: called with the step's context; raises an error of :mod:`stratoplane.errors` to end the attempt.
        undo: takes back what ``run`` did, called in reverse order when a later step failed for good.
        timeout: seconds that one attempt may take, an agent's work included.
    """

    name: str
    run: Callable[[ContextT], StepAnswer]
    undo: Callable[[ContextT], StepAnswer] | None = None
    timeout: float = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How often and when a transient error is met with another attempt.

    Full jitter, after "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): the delay is uniform between
    zero and the exponential cap, so that many jobs that failed together do not return together.

    Attributes:
        attempts: how many in all, the first included.
        base: seconds of the first cap, doubled each time.
        cap: seconds that no delay exceeds.
    """

    attempts: int = 8
    base: float = 1.0
    cap: float = 300.0

    def delay(self, attempt: int, retry_after: float | None, generator: random.Random) -> float:
        """Return the seconds before the next attempt after number ``attempt`` (from 1) failed.

        A provider's ``retry_after`` (seconds) is a lower bound that jitter is added to.
        """
        ceiling = min(self.cap, self.base * 2.0 ** (attempt - 1))
        return (retry_after or 0.0) + generator.uniform(0.0, ceiling)
