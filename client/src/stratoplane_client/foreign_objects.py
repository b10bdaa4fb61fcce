# SPDX-License-Identifier: Apache-2.0
"""What is on clusters and is not ours, for operators."""

from stratoplane_client.decode import decode
from stratoplane_client.models.foreign_objects import ForeignObject
from stratoplane_client.models.jobs import Job
from stratoplane_client.reading import Reading
from stratoplane_client.transport import Call, Transport


class ForeignObjects(Reading[ForeignObject]):
    """Objects that carry no mark of ours; ``list(cluster_id=..., kind=...)`` takes some of them."""

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
        """Make an object a resource of a project, which is charged for it from then on.

        Args:
            kind: ``volume`` or ``network``.
            reference: the provider's own id, as it is listed.
            name: of the new resource.
            dry_run: only ask whether it could be done.
            idempotency_key: names this request; made for you if none is given.

        Returns:
            The job that does it; if it fails, the object is foreign as before.

        Raises:
            NotFoundError: no such object is known, or there is no such project.
            ConflictError: it is being adopted already, or the name is taken.
            InvalidRequestError: the platform could not have made such an object, or its cluster cannot give it away.
        """
        body = {"cluster_id": cluster_id, "kind": kind, "reference": reference, "project_id": project_id, "name": name}
        call = Call(
            method="POST",
            path=f"{self._path}/adopt",
            query={"dry_run": "true" if dry_run else None},
            body=body,
            idempotency_key=idempotency_key,
            replayed=True,
        )
        return decode(Job, self._transport.send(call).body)
