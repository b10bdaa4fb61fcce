# SPDX-License-Identifier: Apache-2.0
"""What a change asks for: the one place that names its job and the job's steps, and knows what it interrupts.

It follows from the desired state before and after, by what the kind declares in ``changes``; how the request was
made, by which command or member, does not matter.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Final

from stratoplane.kinds import AnyKind
from stratoplane.resources import ResourceStatus
from stratoplane.spec_changes import RENAME, UPDATE, Interruption, SpecChange
from stratoplane_engine.kinds.compared import as_observed
from stratoplane_engine.model.drift import FieldDifference
from stratoplane_engine.model.resource import Desired

AWAIT_TARGETS: Final = "await_targets"
APPLY: Final = "apply"
"""The step that does everything for which the driver has no verb of its own, where there are several such things."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a change asks for.

    Attributes:
        changes: each by itself.
        has_more: whether it asks for something that the kind has no name for.
    """

    changes: tuple[SpecChange, ...]
    has_more: bool

    @property
    def verb(self) -> str:
        """What its job is called, behind the kind's name: ``update`` only if it asks for several different things."""
        return self.changes[0].verb if len(self.changes) == 1 and not self.has_more else UPDATE

    def steps(self, verb: str) -> tuple[str, ...]:
        """Return the names of the steps of a job called ``verb`` that does all of this, in order.

        Args:
            verb: the job's; not that of this change where the job also does what one before it did not.
        """
        own = [change.verb for change in self.changes if change.driver_verb != UPDATE]
        if verb in own:
            shared = [] if len(own) == len(self.changes) and not self.has_more else [APPLY]
        else:
            shared = [APPLY if verb == UPDATE else verb]
        return (AWAIT_TARGETS, *own, *shared)

    def interruption(self, kind: AnyKind, after: Desired, features: Collection[str]) -> Interruption | None:
        """Return what it does to a resource that runs; None if nothing.

        Args:
            kind: of the resource.
            after: what is desired from now on.
            features: of the resource's cluster.
        """
        found = {change.interruption for change in self.changes if change.live not in features}
        if found <= {None}:
            return None
        runs_on = Interruption.STOP not in found and kind.runs(after.spec, ResourceStatus.UPDATING)
        return Interruption.RESTART if runs_on else Interruption.STOP


def asked(kind: AnyKind, before: Desired, after: Desired) -> Asked:
    """Return what leads from one desired state to another."""
    differing = {
        each.name
        for each in fields(kind.spec)  # type: ignore[arg-type]  # every spec is a dataclass
        if getattr(before.spec, each.name) != getattr(after.spec, each.name)
    }
    renamed = (RENAME,) if before.name != after.name else ()
    others = tuple(
        change
        for change in kind.all_changes
        if not differing.isdisjoint(change.members) and change.applies(before.spec, after.spec)
    )
    named = {member for change in others for member in change.members}
    changes = (*renamed, *others)
    return Asked(changes=changes, has_more=not changes or not differing <= named)


def asked_of_observed(kind: AnyKind, before: Desired, after: Desired, unlike: Collection[FieldDifference]) -> Asked:
    """Return what leads to a desired state from one of which fields were observed otherwise.

    Args:
        kind: of the resource.
        before: what was desired.
        after: what is desired from now on.
        unlike: those fields.
    """
    return asked(kind, as_observed(kind, before, unlike), after)


def read_drift(drift: Mapping[str, object] | None) -> list[FieldDifference]:
    """Return the fields that were observed otherwise, from what a job's input says of them."""
    return [
        FieldDifference(field=name, desired=found.get("desired"), observed=found.get("observed"))
        for name, found in (drift or {}).items()
        if isinstance(found, Mapping)
    ]
