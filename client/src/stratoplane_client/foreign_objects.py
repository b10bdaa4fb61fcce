# SPDX-License-Identifier: Apache-2.0
"""Objects on clusters that the platform does not manage, for operators."""

from stratoplane_client.models.foreign_objects import ForeignObject
from stratoplane_client.models.jobs import Job
from stratoplane_client.reading import Handled
from stratoplane_client.transport import Transport


class ForeignObjects(Handled[ForeignObject]):
    """Objects that the platform did not create; ``list(cluster_id=..., kind=...)`` filters them."""

    def __init__(self, transport: Transport, path: str) -> None:
        """Keep where they are."""
        super().__init__(transport, path, ForeignObject)

    def adopt(
        self,
        *,
        cluster_id: str,
        kind: str,
        reference: str,
        project_id: str,
        name: str,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Job:
        """Adopt an object as a resource of a project, whose quota it counts against from then on.

        Args:
            kind: as it is listed, such as ``volume``.
            reference: the provider's own id, as it is listed.
            name: of the new resource.
            dry_run: check only; change nothing.
            idempotency_key: names this request; generated when none is given.

        Returns:
            The job that adopts it; if the job fails, the object stays foreign.

        Raises:
            NotFoundError: no such object is known, or there is no such project.
            ConflictError: it is being adopted already, or the name is taken.
            InvalidRequestError: the platform does not support such an object, or the driver cannot hand it over.
        """
        body = {"cluster_id": cluster_id, "kind": kind, "reference": reference, "project_id": project_id, "name": name}
        return self._begin("adopt", body, dry_run=dry_run, idempotency_key=idempotency_key)
