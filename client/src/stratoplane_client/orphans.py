# SPDX-License-Identifier: Apache-2.0
"""Objects that the platform created and that belong to no resource, for operators."""

from stratoplane_client.models.drift import Orphan
from stratoplane_client.models.jobs import Job
from stratoplane_client.reading import Handled
from stratoplane_client.transport import Transport


class Orphans(Handled[Orphan]):
    """Objects without a resource; each is deleted or adopted by a job."""

    def __init__(self, transport: Transport, path: str) -> None:
        """Keep where they are."""
        super().__init__(transport, path, Orphan)

    def delete(
        self, *, cluster_id: str, uid: str, name: str, dry_run: bool = False, idempotency_key: str | None = None
    ) -> Job:
        """Delete an orphan at its provider.

        Args:
            cluster_id: of the cluster that lists it.
            uid: its mark, as it is listed.
            name: confirms which object is meant: its name as it is listed, its uid if it has none.
            dry_run: check only; change nothing.
            idempotency_key: names this request; generated when none is given.

        Returns:
            The job that deletes it.

        Raises:
            NotFoundError: the cluster lists no such orphan (any more).
            ConflictError: a job works on it, or a resource on another cluster has the same mark.
            InvalidRequestError: the name is not that of the object.
        """
        body = {"cluster_id": cluster_id, "uid": uid, "name": name}
        return self._begin("delete", body, dry_run=dry_run, idempotency_key=idempotency_key)

    def adopt(
        self,
        *,
        cluster_id: str,
        uid: str,
        project_id: str,
        name: str,
        flavor: str = "",
        image: str = "",
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Job:
        """Adopt an orphan as a resource of a project under its own id; the project's quota is charged.

        Args:
            cluster_id: of the cluster that lists it.
            uid: its mark, as it is listed.
            name: of the resource.
            flavor: name or id of the flavor that a virtual machine has.
            image: name or id of the image that a virtual machine was made from, empty if it boots from a volume.
            dry_run: check only; change nothing.
            idempotency_key: names this request; generated when none is given.

        Returns:
            The job that adopts it; if the job fails, the object stays an orphan.

        Raises:
            NotFoundError: the cluster lists no such orphan, or there is no such project, flavor or image.
            ConflictError: a job works on it, its id is another project's, or the name is taken.
            InvalidRequestError: what the driver shows is not enough, or not what the flavor says.
        """
        body = {"cluster_id": cluster_id, "uid": uid, "project_id": project_id, "name": name}
        made_from = {member: value for member, value in (("flavor", flavor), ("image", image)) if value}
        return self._begin("adopt", {**body, **made_from}, dry_run=dry_run, idempotency_key=idempotency_key)
