# SPDX-License-Identifier: Apache-2.0
"""Resources of a project."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from stratoplane_client.decode import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldDifference(Record):
    """A field that was last observed otherwise than it is desired."""

    field: str = ""
    desired: object = None
    observed: object = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource(Record):
    """What every kind of resource has.

    Attributes:
        status: ``PENDING``, ``ACTIVE``, ``RUNNING``, ``STOPPED``, ``UPDATING``, ``DELETING``, ``DELETED``, ``FAILED``
            or ``LOST``.
        detail: why it is in this state, for people; often empty.
        differences: the fields that were last observed otherwise than they are desired.
        cluster: name of the cluster that it is placed on.
        used_by: ids of resources that use it.
        provider_reference: empty; the provider's id is for operators.
        version: grows with every change.
    """

    id: str
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    status: str = ""
    detail: str = ""
    project_id: str = ""
    organization_id: str = ""
    differences: tuple[FieldDifference, ...] = ()
    cluster: str | None = None
    used_by: tuple[str, ...] = ()
    provider_reference: str = ""
    version: int = 0
    generation: int = 0
    observed_generation: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def etag(self) -> str:
        """Pass it as ``if_match`` so that a concurrent change is not overwritten."""
        return f'"{self.id}.{self.version}"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Address(Record):
    """An address of a machine in one network."""

    network_id: str = ""
    mac: str = ""
    address: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class VirtualMachine(Resource):
    """A virtual machine: ``power`` is the desired state (``RUNNING`` or ``STOPPED``), ``status`` the observed one."""

    flavor: str = ""
    vcpus: int = 0
    memory_mib: int = 0
    disk_gib: int = 0
    image_id: str | None = None
    image: str | None = None
    boot_volume_id: str | None = None
    network_ids: tuple[str, ...] = ()
    volume_ids: tuple[str, ...] = ()
    key_pair_id: str | None = None
    power: str = ""
    addresses: tuple[Address, ...] = ()
    host: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Network(Resource):
    """A private network; ``mode`` is ``NAT`` or ``ISOLATED``."""

    cidr: str = ""
    gateway: str = ""
    mode: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Volume(Resource):
    """A disk that machines can use."""

    size_gib: int = 0
    image_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket(Resource):
    """A bucket of an object store; ``endpoint`` is where it is reached."""

    endpoint: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyPair(Resource):
    """A public key to authorize in guests."""

    public_key: str = ""
    fingerprint: str = ""
