# SPDX-License-Identifier: Apache-2.0
"""One driver call for one operation, and what its result means.

An uncertain result is resolved at once where observation can tell: the object is observed, and its state decides.
"""

from dataclasses import dataclass
from typing import Final

from stratoplane.crashpoints import crashpoint
from stratoplane.driver_kinds import DriverKind, DriverVerb, Effect, ObjectStatus, WrongAnswerError
from stratoplane.drivers import Driver
from stratoplane.errors import DriverError, InvalidSpecError, Violation
from stratoplane.foreign import Adoption
from stratoplane.jobs import Wait
from stratoplane.messages import Operation, Outcome
from stratoplane.wire import from_json, to_json
from stratoplane_agent.log import Log, trace_id
from stratoplane_agent.outcomes import Ending, bug, done, failed, with_outcome

CONSOLE_CHARACTERS: Final = 64 * 1024
_INCOMPLETE: Final = Wait(seconds=1.0, reason="the object exists but is not complete")
_log: Final = Log("attempt")


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One driver call. Its methods never raise, whatever the driver does.

    Attributes:
        driver: prepared, and it has the verb's ability; ``driver_name`` is its name in the settings.
        argument: what the verb's method is called with.
    """

    driver: Driver
    driver_name: str
    kind: DriverKind
    verb: DriverVerb
    operation: Operation
    argument: object

    def begin(self) -> Ending | Wait:
        """Call the driver, after observing what an earlier attempt left if the operation asks for it."""
        if not self.operation.observe_first or self.verb.effect not in (Effect.APPLIES, Effect.REMOVES):
            return self.resume()
        try:
            found = self._observe()
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a driver may raise anything
            # The effect of the earlier attempt is still unknown, whatever prevented the observation.
            return with_outcome(self._ending(error), Outcome.UNCERTAIN)
        if self.verb.effect is Effect.REMOVES:
            return done() if found is None else self.resume()
        return done(to_json(found)) if self._is_settled(found) else self.resume()

    def resume(self) -> Ending | Wait:
        """Call the driver; used again after each Wait."""
        try:
            crashpoint("agent-before-effect")
            answer = getattr(self.driver, self.verb.method)(self.argument)
            crashpoint("agent-after-effect")
            return answer if isinstance(answer, Wait) else self._done(answer)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a driver may raise anything
            ending = self._ending(error)
        return self._resolved(ending) if ending.outcome is Outcome.UNCERTAIN else ending

    def facts(self) -> dict[str, object]:
        """Return the fields that log lines carry for this call."""
        return {**facts(self.operation), "driver": self.driver_name}

    def _done(self, answer: object) -> Ending:
        if not isinstance(answer, self.verb.answers):
            wanted = " or ".join(each.__name__ for each in self.verb.answers)
            raise WrongAnswerError(f"{self.verb.method} returned {type(answer).__name__}, not {wanted}")
        if answer is None:
            return done()
        if isinstance(answer, str):
            return done({"text": answer[-CONSOLE_CHARACTERS:]})
        return done(to_json(self._ours(answer, self.verb.method)))

    def _ours(self, answer: object, method: str) -> ObjectStatus:
        """Return the answer of a method as a status of the operation's object."""
        status = self.kind.checked(answer, method)
        if status.uid != self.operation.uid:
            raise WrongAnswerError(f"the status is of {status.uid}, not of {self.operation.uid}")
        return status

    def _resolved(self, uncertain: Ending) -> Ending | Wait:
        """Resolve an uncertain result, by observation where that can tell."""
        if self.verb.effect is Effect.READS:
            return with_outcome(uncertain, Outcome.TRANSIENT)
        if self.verb.effect is Effect.UNOBSERVABLE:
            return uncertain
        try:
            found = self._observe()
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a driver may raise anything
            self._ending(error)
            _log.warning("not_observed", reason=error, **self.facts())
            return uncertain
        if self.verb.effect is Effect.REMOVES:
            return done() if found is None else uncertain
        return self._judged(found, uncertain)

    def _judged(self, found: ObjectStatus | None, uncertain: Ending) -> Ending | Wait:
        if found is None:
            return with_outcome(uncertain, Outcome.TRANSIENT)
        if self._is_settled(found):
            return done(to_json(found))
        return uncertain if found.drift(self.argument) else _INCOMPLETE

    def _observe(self) -> ObjectStatus | None:
        method = self.kind.methods.observe
        found = getattr(self.driver, method)(self.operation.uid)
        return None if found is None else self._ours(found, method)

    def _is_settled(self, found: ObjectStatus | None) -> bool:
        """Tell whether an observed object is in the state that the operation asks for; it carries our mark."""
        if found is None or isinstance(self.argument, Adoption):
            return found is not None
        return not found.drift(self.argument) and self.kind.is_complete(found, self.argument)

    def _ending(self, error: BaseException) -> Ending:
        if isinstance(error, DriverError):
            return failed(error)
        _log.bug("driver_bug", error, **self.facts())
        return bug(self.driver_name, error)


def facts(operation: Operation) -> dict[str, object]:
    """Return the fields that log lines carry for an operation."""
    return {
        "operation": operation.id,
        "epoch": operation.epoch,
        "kind": operation.kind,
        "verb": operation.verb,
        "uid": operation.uid,
        "trace": trace_id(operation.trace_parent),
    }


def argument_of(verb: DriverVerb, operation: Operation) -> object:
    """Return what the verb's method is called with, a specification or the uid.

    Raises:
        InvalidSpecError: the operation's specification cannot be read, or is that of another object.
    """
    if verb.takes is None:
        return operation.uid
    spec = from_json(verb.takes, operation.spec)
    if spec.uid != operation.uid:
        detail = f"/uid: the specification is of {spec.uid}, the operation of {operation.uid}"
        raise InvalidSpecError(detail, [Violation(pointer="/uid", detail=detail)])
    return spec
