# SPDX-License-Identifier: Apache-2.0
"""How an attempt at a step ended: what an agent reported, or the step itself raised."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from stratoplane.errors import DriverError, PermanentError, StratoplaneError, TransientError, UncertainError
from stratoplane.jobs import Done
from stratoplane.messages import Outcome
from stratoplane_engine.model.job import Attempt, StepError

_CODES: Final[Mapping[Outcome, str]] = {
    Outcome.TRANSIENT: TransientError.code,
    Outcome.UNCERTAIN: UncertainError.code,
    Outcome.PERMANENT: PermanentError.code,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """An attempt that did not succeed.

    Attributes:
        outcome: whether it may be repeated, and whether it may have taken effect.
        retry_after: seconds that the provider wants to be left alone.
    """

    error: StepError
    outcome: Outcome
    retry_after: float | None = None

    @property
    def is_final(self) -> bool:
        """Whether repeating cannot help."""
        return self.outcome is Outcome.PERMANENT

    @property
    def is_uncertain(self) -> bool:
        """Whether the attempt may have taken effect."""
        return self.outcome is Outcome.UNCERTAIN


def reported(attempt: Attempt, generation: int | None) -> Done | Failure:
    """Return the end of a driver call as the step's own; ``generation`` is the resource's when it was made."""
    if attempt.outcome is Outcome.DONE:
        return Done(output={"status": attempt.status, "generation": generation})
    code = attempt.code or _CODES[attempt.outcome]
    error = StepError(code=code, detail=attempt.detail, provider_text=attempt.provider_text)
    return Failure(error=error, outcome=attempt.outcome, retry_after=attempt.retry_after)


def raised(error: StratoplaneError) -> Failure:
    """Return the end of a step that raised ``error``."""
    text = error.provider_text if isinstance(error, DriverError) else ""
    described = StepError(
        code=error.code, detail=error.detail, provider_text=text, own=not isinstance(error, DriverError)
    )
    if isinstance(error, TransientError):
        return Failure(error=described, outcome=Outcome.TRANSIENT, retry_after=error.retry_after)
    uncertain = isinstance(error, UncertainError)
    return Failure(error=described, outcome=Outcome.UNCERTAIN if uncertain else Outcome.PERMANENT)


def permanent(detail: str) -> Failure:
    """Return the end of a step that the engine itself gives up."""
    return Failure(error=StepError(code=PermanentError.code, detail=detail, own=True), outcome=Outcome.PERMANENT)
