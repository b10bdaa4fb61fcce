# SPDX-License-Identifier: Apache-2.0
"""The optional abilities to show what else the provider has, objects without our mark, and to take one over."""

import abc
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from stratoplane.drivers import Ability, Feature
from stratoplane.jobs import Wait

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Adoption:
    """What a foreign object becomes.

    Attributes:
        uid: our id, its identity from now on.
        project_id: owner; part of the mark at the provider.
        name: for people, as in a specification.
        reference: which object, as it was listed.
    """

    uid: UUID
    project_id: UUID
    name: str
    reference: str


class ImportOps(ForeignOps):
    """The ability to make a foreign object ours: it gets our mark and name, and nothing else of it changes."""

    feature: ClassVar = Feature.IMPORT

    @abc.abstractmethod
    def adopt(self, adoption: Adoption) -> object:
        """Put our mark on a foreign object. Idempotent: the object that carries this mark already is the answer.

        Returns:
            The status, of the class that the driver's ``list`` returns, or Wait; ``provider_reference`` stays.

        Raises:
            NotFoundError: there is no foreign object with the reference; the job stops.
            ConflictError: it is in use by something foreign, or the mark is on another object; the job stops.
            TransientError, UncertainError: as :meth:`stratoplane.compute.ComputeDriver.create`.
        """

    @abc.abstractmethod
    def release(self, uid: UUID) -> Wait | None:
        """Take back an adoption: the object becomes foreign again, as it was. It is never deleted.

        Absent is success. Returns None, or Wait while it is on the way.

        Raises:
            ConflictError: the object was not adopted but made, or is in use by something of ours.
            TransientError, UncertainError: as above.
        """
