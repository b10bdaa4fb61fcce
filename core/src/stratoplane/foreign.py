# SPDX-License-Identifier: Apache-2.0
"""The optional abilities to list foreign objects, which do not carry our mark, and to adopt them."""

import abc
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from stratoplane.drivers import Ability, Feature
from stratoplane.jobs import Wait

FOREIGN_LIMIT: Final = 1_000
"""How many foreign objects of a kind an agent requests and the control plane stores."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignObject:
    """An object that does not carry this installation's mark.

    Attributes:
        reference: the provider's id of it, unique among the driver's objects.
        name: its name at the provider.
        status: the object as it is, of the class that the driver's ``list`` returns; its ``uid`` is stable and
            is not one of our uids.
    """

    reference: str
    name: str
    status: object


class ForeignOps(Ability):
    """The ability to list foreign objects: machines of a compute driver, networks or volumes of the other two."""

    feature: ClassVar = Feature.FOREIGN_OBJECTS

    @abc.abstractmethod
    def list_foreign(self, limit: int) -> Iterable[ForeignObject]:
        """Return up to ``limit`` objects that do not carry this installation's mark, in a stable order.

        What was created for an object of ours alone (a machine's root disk) is not foreign. Nothing is changed.

        Raises:
            TransientError: the agent asks again later; the last list stays valid.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Adoption:
    """A foreign object's new identity.

    Attributes:
        uid: our id, its identity after the adoption.
        project_id: owner; part of the mark at the provider.
        name: for people, as in a specification.
        reference: the object, as it was listed.
    """

    uid: UUID
    project_id: UUID
    name: str
    reference: str


class ImportOps(ForeignOps):
    """The ability to adopt a foreign object: it gets our mark and name, and nothing else of it changes."""

    feature: ClassVar = Feature.IMPORT

    @abc.abstractmethod
    def adopt(self, adoption: Adoption) -> object:
        """Put our mark on a foreign object. Idempotent: an object that already carries the mark is returned.

        Returns:
            The status, of the class that the driver's ``list`` returns, or Wait; ``provider_reference`` stays.

        Raises:
            NotFoundError: no foreign object has the reference; the job stops.
            ConflictError: a foreign object uses it, or another object carries the mark; the job stops.
            TransientError, UncertainError: as :meth:`stratoplane.compute.ComputeDriver.create`.
        """

    @abc.abstractmethod
    def release(self, uid: UUID) -> Wait | None:
        """Undo an adoption: the object becomes foreign again, as it was. It is never deleted.

        Absent is success. Returns None, or Wait while it is in progress.

        Raises:
            ConflictError: the object was created, not adopted, or an object of ours uses it.
            TransientError, UncertainError: as above.
        """
