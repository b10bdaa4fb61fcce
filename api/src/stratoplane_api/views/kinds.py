# SPDX-License-Identifier: Apache-2.0
"""Every kind of resource as the tenants' namespace serves it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stratoplane_api.schemas import compute, examples, network, storage
from stratoplane_api.schemas.resources import Resource
from stratoplane_api.schemas.strict import Request


@dataclass(frozen=True, kw_only=True, slots=True)
class KindRoutes:
    """One kind: its names in ids and paths, what requests hold, and an example of each.

    Attributes:
        name: of the kind, and of the member that holds one in an answer.
        plural: in operation ids, ``path`` in paths.
        example: a resource as it is shown.
        deferred: whether changes take time and answer with a job.
    """

    name: str
    plural: str
    path: str
    answer: type[Resource]
    create: type[Request]
    update: type[Request]
    example: Mapping[str, Any]
    create_example: Mapping[str, Any]
    update_example: Mapping[str, Any]
    deferred: bool = True

    @property
    def words(self) -> str:
        """The kind's name as people read it."""
        return self.name.replace("_", " ")

    @property
    def tag(self) -> str:
        """The heading of the document under which it is listed."""
        return self.plural.replace("_", " ").capitalize()


KINDS: Final = (
    KindRoutes(
        name="virtual_machine",
        plural="virtual_machines",
        path="virtual-machines",
        answer=compute.VirtualMachine,
        create=compute.VirtualMachineCreate,
        update=compute.VirtualMachineUpdate,
        example=examples.VIRTUAL_MACHINE,
        create_example=examples.VIRTUAL_MACHINE_CREATE,
        update_example={"power": "STOPPED"},
    ),
    KindRoutes(
        name="network",
        plural="networks",
        path="networks",
        answer=network.Network,
        create=network.NetworkCreate,
        update=network.NetworkUpdate,
        example=examples.NETWORK,
        create_example={"name": "front", "cidr": "10.20.0.0/24", "labels": {"env": "prod"}},
        update_example={"labels": {"env": "test"}},
    ),
    KindRoutes(
        name="volume",
        plural="volumes",
        path="volumes",
        answer=storage.Volume,
        create=storage.VolumeCreate,
        update=storage.VolumeUpdate,
        example=examples.VOLUME,
        create_example={"name": "data-1", "size_gib": 20},
        update_example={"size_gib": 40},
    ),
    KindRoutes(
        name="bucket",
        plural="buckets",
        path="buckets",
        answer=storage.Bucket,
        create=storage.BucketCreate,
        update=storage.BucketUpdate,
        example=examples.BUCKET,
        create_example={"name": "backups"},
        update_example={"labels": {"tier": "cold"}},
    ),
    KindRoutes(
        name="key_pair",
        plural="key_pairs",
        path="key-pairs",
        answer=compute.KeyPair,
        create=compute.KeyPairCreate,
        update=compute.KeyPairUpdate,
        example=examples.KEY_PAIR,
        create_example={"name": "alice", "public_key": examples.PUBLIC_KEY},
        update_example={"name": "alice-2026"},
        deferred=False,
    ),
)
