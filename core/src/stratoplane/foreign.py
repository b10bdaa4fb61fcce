# SPDX-License-Identifier: Apache-2.0
"""The optional ability to show what else the provider has: objects without our mark, listed and never touched."""

import abc
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from stratoplane.drivers import Ability, Feature

FOREIGN_LIMIT: Final = 1_000
"""How many foreign objects of a kind an agent asks for and the control plane keeps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignObject:
    """An object that does not carry this installation's mark.

    Attributes:
        reference: the provider's own id of it, unique among the driver's objects.
        name: what the provider calls it.
        status: the object as it is, of the class that the driver's ``list`` returns; its ``uid`` is one that stays the
            same from call to call and is no uid of ours.
    """

    reference: str
    name: str
    status: object


class ForeignOps(Ability):
    """The ability to list foreign objects: machines of a compute driver, networks or volumes of the other two."""

    feature: ClassVar = Feature.FOREIGN_OBJECTS

    @abc.abstractmethod
    def list_foreign(self, limit: int) -> Iterable[ForeignObject]:
        """Return up to ``limit`` objects that do not carry this installation's mark, in an order that stays.

        What is made for an object of ours alone (a machine's root disk) is not foreign. Nothing is changed.

        Raises:
            TransientError: the agent asks again later, what is known stays.
        """
