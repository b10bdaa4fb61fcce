# SPDX-License-Identifier: Apache-2.0
"""Kinds of resources as the command shows them: words, columns, what one looks like in full."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stratoplane_client.cli import tables
from stratoplane_client.cli.output import Column, Sheet
from stratoplane_client.cli.session import Session

if TYPE_CHECKING:
    from stratoplane_client.models.resources import Bucket, KeyPair, Network, Resource, VirtualMachine, Volume

Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of resource.

    Attributes:
        word: the noun of the command, ``plural`` of several.
        member: its name in the API's answers.
        calls: gives the client's calls for it in the session's project.
        columns: of its table.
        sheet: shows one in full.
        gist: what is worth saying of one that is ready, in a few words.
    """

    word: str
    plural: str
    member: str
    calls: Callable[[Session], Any]
    columns: tuple[Column, ...]
    sheet: Sheet
    gist: Callable[[Any], str]

    def names(self, session: Session, part: str) -> Iterable[str]:
        """Yield the names that contain ``part``."""
        return (each.name for each in self.calls(session).list(name_contains=part or None))


_NAME = Column("NAME", lambda each: each.name)
_STATUS = Column("STATUS", lambda each: each.status)
_CLUSTER = Column("CLUSTER", lambda each: each.cluster or "-")
_LABELS = Column("LABELS", lambda each: tables.labels(each.labels))
_AGE = Column("AGE", lambda each: tables.age(each.created_at))


def _head(each: "Resource") -> Pairs:
    yield "Name", each.name
    yield "Id", each.id
    yield "Status", each.status
    if each.detail:
        yield "", each.detail


def _tail(each: "Resource") -> Pairs:
    yield "Labels", tables.labels(each.labels)
    yield "Cluster", each.cluster or "-"
    yield "Project", each.project_id
    yield "Used by", "\n".join(each.used_by) or "-"
    yield "Created", tables.moment(each.created_at)
    yield "Changed", tables.moment(each.updated_at)
    yield "Version", str(each.version)


def _machine(each: "VirtualMachine") -> Pairs:
    addresses = [f"{found.address or '-'}  {found.mac}  network {found.network_id}" for found in each.addresses]
    yield from _head(each)
    yield "Power", each.power
    yield "Flavor", f"{each.flavor} ({each.vcpus} CPU, {tables.memory(each.memory_mib)}, {each.disk_gib} GiB disk)"
    yield "Boots from", f"volume {each.boot_volume_id}" if each.boot_volume_id else f"image {each.image or '-'}"
    yield "Addresses", "\n".join(addresses) or "-"
    yield "Networks", "\n".join(each.network_ids) or "-"
    yield "Volumes", "\n".join(each.volume_ids) or "-"
    yield "Key", each.key_pair_id or "-"
    yield "Host", each.host or "-"
    yield from _tail(each)


def _network(each: "Network") -> Pairs:
    yield from _head(each)
    yield "Range", each.cidr
    yield "Gateway", each.gateway or "-"
    yield "Mode", each.mode
    yield from _tail(each)


def _volume(each: "Volume") -> Pairs:
    yield from _head(each)
    yield "Size", f"{each.size_gib} GiB"
    yield "Image", each.image_id or "-"
    yield from _tail(each)


def _bucket(each: "Bucket") -> Pairs:
    yield from _head(each)
    yield "Endpoint", each.endpoint or "-"
    yield from _tail(each)


def _key(each: "KeyPair") -> Pairs:
    yield from _head(each)
    yield "Fingerprint", each.fingerprint
    yield "Public key", each.public_key
    yield from _tail(each)


def _addresses(each: "VirtualMachine") -> str:
    return tables.words(found.address for found in each.addresses if found.address)


def _machine_gist(each: "VirtualMachine") -> str:
    where = _addresses(each)
    return each.status if where == "-" else f"{each.status}, {where}"


MACHINES = Kind(
    word="vm",
    plural="vms",
    member="virtual_machine",
    calls=lambda session: session.client.virtual_machines(session.project_id),
    columns=(
        _NAME,
        _STATUS,
        Column("FLAVOR", lambda each: each.flavor),
        Column("CPU", lambda each: str(each.vcpus)),
        Column("MEMORY", lambda each: tables.memory(each.memory_mib)),
        Column("ADDRESSES", _addresses),
        Column("IMAGE", lambda each: each.image or "-"),
        _CLUSTER,
        _AGE,
    ),
    sheet=_machine,
    gist=_machine_gist,
)
NETWORKS = Kind(
    word="network",
    plural="networks",
    member="network",
    calls=lambda session: session.client.networks(session.project_id),
    columns=(
        _NAME,
        _STATUS,
        Column("RANGE", lambda each: each.cidr),
        Column("GATEWAY", lambda each: each.gateway or "-"),
        Column("MODE", lambda each: each.mode),
        Column("USED BY", lambda each: str(len(each.used_by))),
        _CLUSTER,
        _AGE,
    ),
    sheet=_network,
    gist=lambda each: f"{each.status}, {each.cidr}",
)
VOLUMES = Kind(
    word="volume",
    plural="volumes",
    member="volume",
    calls=lambda session: session.client.volumes(session.project_id),
    columns=(
        _NAME,
        _STATUS,
        Column("SIZE", lambda each: f"{each.size_gib} GiB"),
        Column("USED", lambda each: "yes" if each.used_by else "-"),
        _CLUSTER,
        _AGE,
    ),
    sheet=_volume,
    gist=lambda each: f"{each.status}, {each.size_gib} GiB",
)
BUCKETS = Kind(
    word="bucket",
    plural="buckets",
    member="bucket",
    calls=lambda session: session.client.buckets(session.project_id),
    columns=(_NAME, _STATUS, Column("ENDPOINT", lambda each: each.endpoint or "-"), _CLUSTER, _AGE),
    sheet=_bucket,
    gist=lambda each: f"{each.status}, {each.endpoint}" if each.endpoint else each.status,
)
KEYS = Kind(
    word="key",
    plural="keys",
    member="key_pair",
    calls=lambda session: session.client.key_pairs(session.project_id),
    columns=(_NAME, Column("FINGERPRINT", lambda each: each.fingerprint), _LABELS, _AGE),
    sheet=_key,
    gist=lambda each: each.fingerprint,
)
