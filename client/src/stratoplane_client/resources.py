# SPDX-License-Identifier: Apache-2.0
"""Virtual machines, networks, volumes, buckets and key pairs of a project.

``client.volumes(project).create(...)`` makes a change; ``client.volumes(project).plan.create(...)`` is a dry run.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Generic

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
from stratoplane_client.decode import decode
from stratoplane_client.jobs import DEFAULT_WAIT, Jobs, Progress
from stratoplane_client.models.resources import Bucket, KeyPair, Network, VirtualMachine, Volume
from stratoplane_client.paging import LARGEST_PAGE, pages
from stratoplane_client.reading import find, segment
from stratoplane_client.transport import Call, Transport

Labels = Mapping[str, str]


class ResourceReading(Generic[T]):
    """Reading resources of one kind."""

    _collection: Collection[T]

    def list(
        self,
        *,
        status: str | None = None,
        labels: str | None = None,
        name_contains: str | None = None,
        sort: str | None = None,
        page_size: int = LARGEST_PAGE,
    ) -> Iterator[T]:
        """Yield all, page after page.

        Args:
            status: only those with this status, such as ``RUNNING``.
            labels: only those whose labels match, such as ``env=prod,tier!=web``.
            name_contains: only those whose name contains this.
            sort: ``created_at``, ``-created_at`` or ``name``.
            page_size: most objects per call, up to 200.
        """
        query = {"limit": page_size, "status": status, "labels": labels, "name~": name_contains, "sort": sort}
        return pages(self._collection.transport, self._collection.path, self._collection.kind, query)

    def get(self, identifier: str) -> T:
        """Return one by its id.

        Raises:
            NotFoundError: there is none that the caller can see.
        """
        reply = self._collection.transport.send(
            Call(method="GET", path=f"{self._collection.path}/{segment(identifier)}")
        )
        return decode(self._collection.kind, reply.body)

    def find(self, wanted: str) -> T:
        """Return the one whose id or name is ``wanted``.

        Raises:
            NameUnknownError: none has that name.
            NotFoundError: none has that id.
        """
        return find(lambda: self.list(name_contains=wanted), self.get, self.display_name, wanted)

    @property
    def display_name(self) -> str:
        """The kind for messages, such as ``virtual machine``."""
        return self._collection.member.replace("_", " ")


class MachineChanges(Changes[VirtualMachine, Outcome]):
    """Changes of virtual machines."""

    def create(
        self,
        *,
        name: str,
        flavor: str,
        image: str | None = None,
        boot_volume_id: str | None = None,
        network_ids: Sequence[str] = (),
        volume_ids: Sequence[str] = (),
        key_pair: str | None = None,
        user_data: str | None = None,
        labels: Labels | None = None,
        cluster: str | None = None,
        power: str | None = None,
        idempotency_key: str | None = None,
    ) -> Outcome:
        """Create a machine; it starts unless ``power`` is ``STOPPED``.

        Args:
            name: 1 to 63 of ``a-z``, ``0-9`` and ``-``.
            flavor: id or name.
            image: id or name of the image to start from, instead of the volume ``boot_volume_id``.
            network_ids: networks to join, one card each; ``volume_ids`` are volumes to attach.
            key_pair: id or name of the key pair to authorize in the guest.
            user_data: for cloud-init.
            labels: of your own.
            cluster: its name; chosen by the server when left out.
            power: ``RUNNING`` or ``STOPPED``.
            idempotency_key: names this change; the same key gets the same answer.

        Raises:
            InvalidRequestError: a member is wrong, or names what does not exist.
            NameTakenError: the project has a machine of that name.
            QuotaFullError: the quota has no room.
            UnavailableError: no cluster has room for it.
        """
        body = {
            "name": name,
            "flavor": flavor,
            "image": image,
            "boot_volume_id": boot_volume_id,
            "network_ids": tuple(network_ids),
            "volume_ids": tuple(volume_ids),
            "key_pair": key_pair,
            "user_data": user_data,
            "labels": labels,
            "cluster": cluster,
            "power": power,
        }
        return self._create(body, idempotency_key)

    def update(
        self,
        identifier: str,
        *,
        name: str | None = None,
        labels: Labels | None = None,
        power: str | None = None,
        flavor: str | None = None,
        volume_ids: Sequence[str] | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Outcome:
        """Change what is given; the rest stays.

        Args:
            identifier: of the machine.
            name: the new one.
            labels: the complete new labels.
            power: ``RUNNING`` or ``STOPPED``.
            flavor: id or name of the flavor to resize to.
            volume_ids: the complete new data volumes; others are detached.
            if_match: the ``etag`` that it must still have.
            idempotency_key: names this change.

        Raises:
            NotFoundError: there is no such machine.
            ConflictError: its state forbids the change.
            VersionConflictError: it changed since ``if_match``.
        """
        volumes = None if volume_ids is None else tuple(volume_ids)
        body = {"name": name, "labels": labels, "power": power, "flavor": flavor, "volume_ids": volumes}
        return self._update(identifier, body, if_match, idempotency_key)

    def reboot(self, identifier: str, *, idempotency_key: str | None = None) -> Outcome:
        """Restart a running machine."""
        return self._act(identifier, "reboots", idempotency_key)

    def read_console(self, identifier: str, *, idempotency_key: str | None = None) -> Outcome:
        """Read the serial console; the text will be in the job's ``output["text"]``."""
        return self._act(identifier, "console-logs", idempotency_key)


class VirtualMachines(ResourceReading[VirtualMachine], MachineChanges[Change[VirtualMachine]]):
    """Virtual machines of a project; ``plan`` has the same changes as dry runs."""

    def __init__(self, collection: Collection[VirtualMachine]) -> None:
        """Keep where they are."""
        super().__init__(collection, change_from_reply, {})
        self.plan = MachineChanges[Plan[VirtualMachine]](collection, plan_from_reply, DRY_RUN)

    def console(self, identifier: str, *, timeout: float = DEFAULT_WAIT, progress: Progress | None = None) -> str:
        """Return what the machine wrote to its serial console.

        Raises:
            JobFailedError: the provider could not read it.
            WaitTimeoutError: ``timeout`` seconds have passed.
        """
        job = self.read_console(identifier).job
        if job is None:
            return ""
        return str(self._collection.jobs.wait(job.id, timeout=timeout, progress=progress).output.get("text", ""))


class NetworkChanges(Changes[Network, Outcome]):
    """Changes of networks."""

    def create(
        self,
        *,
        name: str,
        cidr: str,
        mode: str | None = None,
        labels: Labels | None = None,
        cluster: str | None = None,
        idempotency_key: str | None = None,
    ) -> Outcome:
        """Create a network with the IPv4 range ``cidr``; ``mode`` is ``NAT`` or ``ISOLATED``."""
        body = {"name": name, "cidr": cidr, "mode": mode, "labels": labels, "cluster": cluster}
        return self._create(body, idempotency_key)

    def update(
        self,
        identifier: str,
        *,
        name: str | None = None,
        labels: Labels | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Outcome:
        """Change what is given; the rest stays."""
        return self._update(identifier, {"name": name, "labels": labels}, if_match, idempotency_key)


class VolumeChanges(Changes[Volume, Outcome]):
    """Changes of volumes."""

    def create(
        self,
        *,
        name: str,
        size_gib: int,
        image: str | None = None,
        labels: Labels | None = None,
        cluster: str | None = None,
        idempotency_key: str | None = None,
    ) -> Outcome:
        """Create a volume of ``size_gib`` GiB, empty or filled with ``image`` (id or name)."""
        body = {"name": name, "size_gib": size_gib, "image": image, "labels": labels, "cluster": cluster}
        return self._create(body, idempotency_key)

    def update(
        self,
        identifier: str,
        *,
        name: str | None = None,
        labels: Labels | None = None,
        size_gib: int | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Outcome:
        """Change what is given; the rest stays. A volume can only grow."""
        return self._update(
            identifier, {"name": name, "labels": labels, "size_gib": size_gib}, if_match, idempotency_key
        )


class BucketChanges(Changes[Bucket, Outcome]):
    """Changes of buckets."""

    def create(
        self,
        *,
        name: str,
        labels: Labels | None = None,
        cluster: str | None = None,
        idempotency_key: str | None = None,
    ) -> Outcome:
        """Create a bucket."""
        return self._create({"name": name, "labels": labels, "cluster": cluster}, idempotency_key)

    def update(
        self,
        identifier: str,
        *,
        name: str | None = None,
        labels: Labels | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Outcome:
        """Change what is given; the rest stays."""
        return self._update(identifier, {"name": name, "labels": labels}, if_match, idempotency_key)


class KeyPairChanges(Changes[KeyPair, Outcome]):
    """Changes of key pairs; they are done at once, without a job."""

    def create(
        self, *, name: str, public_key: str, labels: Labels | None = None, idempotency_key: str | None = None
    ) -> Outcome:
        """Upload the OpenSSH public key ``public_key``, one line; the private key stays with the caller."""
        return self._create({"name": name, "public_key": public_key, "labels": labels}, idempotency_key)

    def update(
        self,
        identifier: str,
        *,
        name: str | None = None,
        labels: Labels | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Outcome:
        """Change what is given; the rest stays."""
        return self._update(identifier, {"name": name, "labels": labels}, if_match, idempotency_key)


class Networks(ResourceReading[Network], NetworkChanges[Change[Network]]):
    """Networks of a project; ``plan`` has the same changes as dry runs."""

    def __init__(self, collection: Collection[Network]) -> None:
        """Keep where they are."""
        super().__init__(collection, change_from_reply, {})
        self.plan = NetworkChanges[Plan[Network]](collection, plan_from_reply, DRY_RUN)


class Volumes(ResourceReading[Volume], VolumeChanges[Change[Volume]]):
    """Volumes of a project; ``plan`` has the same changes as dry runs."""

    def __init__(self, collection: Collection[Volume]) -> None:
        """Keep where they are."""
        super().__init__(collection, change_from_reply, {})
        self.plan = VolumeChanges[Plan[Volume]](collection, plan_from_reply, DRY_RUN)


class Buckets(ResourceReading[Bucket], BucketChanges[Change[Bucket]]):
    """Buckets of a project; ``plan`` has the same changes as dry runs."""

    def __init__(self, collection: Collection[Bucket]) -> None:
        """Keep where they are."""
        super().__init__(collection, change_from_reply, {})
        self.plan = BucketChanges[Plan[Bucket]](collection, plan_from_reply, DRY_RUN)


class KeyPairs(ResourceReading[KeyPair], KeyPairChanges[Change[KeyPair]]):
    """Key pairs of a project; ``plan`` has the same changes as dry runs."""

    def __init__(self, collection: Collection[KeyPair]) -> None:
        """Keep where they are."""
        super().__init__(collection, change_from_reply, {})
        self.plan = KeyPairChanges[Plan[KeyPair]](collection, plan_from_reply, DRY_RUN)


def project_collection(transport: Transport, project_id: str, path: str, member: str, kind: type[T]) -> Collection[T]:
    """Return the collection of one kind of resource in a project."""
    project = f"/api/tenant/v1/projects/{segment(project_id)}"
    jobs = Jobs(transport, f"{project}/jobs")
    return Collection(transport=transport, path=f"{project}/{path}", member=member, kind=kind, jobs=jobs)
