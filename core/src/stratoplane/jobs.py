# SPDX-License-Identifier: Apache-2.0
"""Jobs: states, steps and what a step may return.

A workflow is a tuple of :class:`Step`. The runner calls ``run`` with everything the step may read and acts on the
answer: :class:`Done` continues, :class:`Wait` calls again later, :class:`Dispatch` asks the cluster's agent and
continues with its result. A step does no input or output, so it may be called again after any crash.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Generic, TypeVar


class JobState(StrEnum):
    """The state of a job, and what it means after a crash."""

    PENDING = "PENDING"
    """Accepted, no step has started. After a crash: claimed by any worker."""
    RUNNING = "RUNNING"
    """A worker or an agent is executing it. After a crash: the lease expires and it is claimed with the next epoch."""
    RETRYING = "RETRYING"
    """A step failed with a transient error and will be repeated. After a crash: claimed when it is due."""
    SUCCEEDED = "SUCCEEDED"
    """Every step is done. Final."""
    FAILED = "FAILED"
    """It failed; finished steps were undone. Final."""
    CANCELLED = "CANCELLED"
    """Cancelled on request; finished steps were undone. Final."""


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
"""Final states."""

LIVE: Final = frozenset(TRANSITIONS) - TERMINAL
"""States that are not final: a worker, an agent or the clock changes them."""


class StepState(StrEnum):
    """The state of one step of a job."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    UNDONE = "UNDONE"


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """The step's work is finished; ``output`` (JSON values) is stored and available to later steps."""

    output: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """Not finished: call again after ``seconds``.

    Attributes:
        seconds: when to call again, at the latest.
        token: opaque JSON value that is passed to the next call of a step.
        reason: what the call waits for, shown to people.
    """

    seconds: float
    token: Mapping[str, object] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dispatch:
    """Ask the agent of the resource's cluster for one driver call; the step continues with its result.

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
        undo: reverts what ``run`` did, called in reverse order when a later step failed permanently.
        timeout: seconds that one attempt may take, an agent's work included.
    """

    name: str
    run: Callable[[ContextT], StepAnswer]
    undo: Callable[[ContextT], StepAnswer] | None = None
    timeout: float = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How often and when a step is repeated after a transient error.

    Full jitter, after "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): the delay is uniform between
    zero and the exponential cap, so that jobs that failed together are not repeated together.

    Attributes:
        attempts: number of attempts, the first included.
        base: seconds of the first cap, doubled each time.
        cap: seconds that no back-off exceeds.
        longest_wish: seconds of a provider's ``retry_after`` that are honoured at most.
    """

    attempts: int = 8
    base: float = 1.0
    cap: float = 300.0
    longest_wish: float = 3_600.0

    def delay(self, attempt: int, retry_after: float | None, generator: random.Random) -> float:
        """Return the seconds before the next attempt after number ``attempt`` (from 1) failed.

        A provider's ``retry_after`` (seconds), within its bounds, is a lower bound that jitter is added to.
        """
        ceiling = min(self.cap, self.base * 2.0 ** (attempt - 1))
        return self.wish(retry_after) + generator.uniform(0.0, ceiling)

    def wish(self, retry_after: float | None) -> float:
        """Return how much of a provider's ``retry_after`` (seconds) is honoured: nothing where it is not a duration."""
        if retry_after is None or math.isnan(retry_after):
            return 0.0
        return min(max(0.0, retry_after), self.longest_wish)
