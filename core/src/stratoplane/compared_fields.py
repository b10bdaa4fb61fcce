# SPDX-License-Identifier: Apache-2.0
"""Which fields of a kind the reconciler compares, how, and what may be done about a difference."""

from dataclasses import dataclass
from enum import StrEnum


class DriftPolicy(StrEnum):
    """What is done about a difference between what is desired and what is observed."""

    CORRECT = "correct"
    """A job brings the object back to what is desired."""
    ADOPT = "adopt"
    """What is observed becomes what is desired."""
    ALERT = "alert"
    """Nothing is done; an incident tells of it."""


class Comparison(StrEnum):
    """How the desired and the observed value of a field are found."""

    MEMBER = "member"
    """The field has the same name in the spec and in what drivers report."""
    NAME = "name"
    """The resource's name, and ``name`` as drivers report it."""
    ATTACHED_VOLUMES = "attached_volumes"
    """The volumes of a machine, the one that it boots from included, in any order."""
    ALWAYS_TRUE = "always_true"
    """True is desired; the member is as drivers report it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedField:
    """A field that the reconciler compares.

    Attributes:
        policies: those that make sense, the default first. Nothing is corrected that drivers cannot set, and nothing
            adopted that a resource could not be asked for.
        asked_by: the member of a change that asks for the field, where it is called otherwise.
    """

    name: str
    policies: tuple[DriftPolicy, ...]
    comparison: Comparison = Comparison.MEMBER
    asked_by: str = ""
