# SPDX-License-Identifier: Apache-2.0
"""One call of a driver for one operation, and what its end means.

A doubtful end is cleared up at once where observation can tell: the object is asked for, and what is there decides.
"""

from dataclasses import dataclass
from typing import Any, Final

from stratoplane.compute import MachineSpec, MachineStatus
from stratoplane.crashpoints import crashpoint
from stratoplane.drivers import Driver
from stratoplane.errors import DriverError
from stratoplane.foreign import Adoption
from stratoplane.jobs import Wait
from stratoplane.messages import Operation, Outcome
from stratoplane.resources import PowerState
from stratoplane.wire import to_json
from stratoplane_agent.log import Log, trace_id
from stratoplane_agent.outcomes import Ending, bug, done, failed, with_outcome
from stratoplane_agent.verbs import Effect, Verb

CONSOLE_CHARACTERS: Final = 64 * 1024
_ON_THE_WAY: Final = Wait(seconds=1.0, reason="the object is there and not complete")
_log: Final = Log("attempt")


class WrongAnswerError(Exception):
    """A driver returned something that its contract does not allow."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One call. Its methods raise nothing, whatever the driver does.

    Attributes:
        driver: it was prepared and has the verb's ability; ``driver_name`` is how operators know it.
        argument: what the verb's method is called with.
    """

    driver: Driver
    driver_name: str
    verb: Verb
    operation: Operation
    argument: Any

    def begin(self) -> Ending | Wait:
        """Call the driver, after observing what an earlier attempt left if the operation asks for it."""
        if not self.operation.observe_first or self.verb.effect not in (Effect.MAKES, Effect.REMOVES):
            return self.resume()
        try:
            found = self._observe()
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a driver may raise anything
            # The earlier attempt's effect is as unknown as before, whatever kept us from seeing it.
            return with_outcome(self._ending(error), Outcome.UNCERTAIN)
        if self.verb.effect is Effect.REMOVES:
            return done() if found is None else self.resume()
        return done(to_json(found)) if _is_settled(found, self.argument) else self.resume()

    def resume(self) -> Ending | Wait:
        """Call the driver; used again after each Wait."""
        try:
            crashpoint("agent-before-effect")
            answer = getattr(self.driver, self.verb.method)(self.argument)
            crashpoint("agent-after-effect")
            return answer if isinstance(answer, Wait) else self._done(answer)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a driver may raise anything
            ending = self._ending(error)
        return self._cleared_up(ending) if ending.outcome is Outcome.UNCERTAIN else ending

    def facts(self) -> dict[str, object]:
        """Return what a log line says about this call."""
        return {**facts(self.operation), "driver": self.driver_name}

    def _done(self, answer: Any) -> Ending:  # whatever the driver returned
        if not isinstance(answer, self.verb.answers):
            wanted = " or ".join(each.__name__ for each in self.verb.answers)
            raise WrongAnswerError(f"{self.verb.method} returned {type(answer).__name__}, not {wanted}")
        if answer is None:
            return done()
        if isinstance(answer, str):
            return done({"text": answer[-CONSOLE_CHARACTERS:]})
        return done(to_json(self._ours(answer)))

    def _ours(self, status: Any) -> Any:  # a status of the verb's kind
        if status.uid != self.operation.uid:
            raise WrongAnswerError(f"the status is of {status.uid}, not of {self.operation.uid}")
        return status

    def _cleared_up(self, doubtful: Ending) -> Ending | Wait:
        """Decide what a doubtful end was, by observation where that can tell."""
        if self.verb.effect is Effect.NONE:
            return with_outcome(doubtful, Outcome.TRANSIENT)
        if self.verb.effect is Effect.BLIND:
            return doubtful
        try:
            found = self._observe()
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a driver may raise anything
            self._ending(error)
            _log.warning("not_observed", reason=error, **self.facts())
            return doubtful
        if self.verb.effect is Effect.REMOVES:
            return done() if found is None else doubtful
        return self._judged(found, doubtful)

    def _judged(self, found: Any, doubtful: Ending) -> Ending | Wait:  # a status of the verb's kind
        if found is None:
            return with_outcome(doubtful, Outcome.TRANSIENT)
        if _is_settled(found, self.argument):
            return done(to_json(found))
        return doubtful if found.drift(self.argument) else _ON_THE_WAY

    def _observe(self) -> Any:  # a status of the verb's kind, or None
        method = self.verb.kind.observe
        found = getattr(self.driver, method)(self.operation.uid)
        if found is None:
            return None
        if not isinstance(found, self.verb.kind.status):
            raise WrongAnswerError(f"{method} returned {type(found).__name__}, not {self.verb.kind.status.__name__}")
        return self._ours(found)

    def _ending(self, error: BaseException) -> Ending:
        if isinstance(error, DriverError):
            return failed(error)
        _log.bug("driver_bug", error, **self.facts())
        return bug(self.driver_name, error)


def facts(operation: Operation) -> dict[str, object]:
    """Return what a log line says about an operation."""
    return {
        "operation": operation.id,
        "epoch": operation.epoch,
        "kind": operation.kind,
        "verb": operation.verb,
        "uid": operation.uid,
        "trace": trace_id(operation.trace_parent),
    }


def _is_settled(found: Any, spec: Any) -> bool:  # status and specification of one kind, or an adoption
    """Tell whether an observed object is all that its specification asks for; what is found carries our mark."""
    if isinstance(spec, Adoption):
        return found is not None
    if found is None or found.drift(spec):
        return False
    if isinstance(found, MachineStatus) and isinstance(spec, MachineSpec) and spec.power is PowerState.RUNNING:
        return {each.mac.lower() for each in spec.interfaces} <= {each.mac.lower() for each in found.addresses}
    return True
