# SPDX-License-Identifier: Apache-2.0
"""Kinds of resources that this package has no class for, such as those that a plugin adds to the platform."""

from collections.abc import Mapping
from typing import Any

from stratoplane_client.changes import (
    DRY_RUN,
    Change,
    Changes,
    Collection,
    Outcome,
    Plan,
    T,
    change_from_reply,
    plan_from_reply,
)
from stratoplane_client.resources import ResourceReading

Labels = Mapping[str, str]


class GenericChanges(Changes[T, Outcome]):
    """Changes of resources whose members only the caller knows."""

    def create(
        self,
        *,
        name: str,
        labels: Labels | None = None,
        cluster: str | None = None,
        idempotency_key: str | None = None,
        **members: Any,
    ) -> Outcome:
        """Create a resource.

        Args:
            name: 1 to 63 of ``a-z``, ``0-9`` and ``-``.
            labels: of your own.
            cluster: its name; chosen by the server when left out.
            idempotency_key: names this change; the same key gets the same answer.
            **members: of the request's JSON object; those that are None are left out.

        Raises:
            InvalidRequestError: a member is wrong or unknown.
            NameTakenError: the project has a resource of this kind and name.
            QuotaFullError: the quota has no room.
        """
        return self._create({"name": name, "labels": labels, "cluster": cluster, **members}, idempotency_key)

    def update(
        self,
        identifier: str,
        *,
        name: str | None = None,
        labels: Labels | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
        **members: Any,
    ) -> Outcome:
        """Change the members that are given; the others keep their values.

        Args:
            identifier: of the resource.
            name: the new name.
            labels: the complete new labels.
            if_match: the ``etag`` that the resource must still have.
            idempotency_key: names this change.
            **members: of the request's JSON object; those that are None are left out.

        Raises:
            NotFoundError: there is no such resource.
            VersionConflictError: it changed since ``if_match``.
        """
        return self._update(identifier, {"name": name, "labels": labels, **members}, if_match, idempotency_key)

    def act(self, identifier: str, action: str, *, idempotency_key: str | None = None) -> Outcome:
        """Start an action: ``POST`` to the sub-collection ``action`` of a resource, such as ``reboots``."""
        return self._act(identifier, action, idempotency_key)


class GenericResources(ResourceReading[T], GenericChanges[T, Change[T]]):
    """Resources of one kind of a project; ``plan`` has the same changes as dry runs."""

    def __init__(self, collection: Collection[T]) -> None:
        """Keep the collection; nothing is sent yet."""
        super().__init__(collection, change_from_reply, {})
        self.plan = GenericChanges[T, Plan[T]](collection, plan_from_reply, DRY_RUN)
