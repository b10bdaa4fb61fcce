# SPDX-License-Identifier: Apache-2.0
"""Kinds of resources as the command shows them: the columns of a list, the details of one, a summary in a line."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from stratoplane_client.cli import tables
from stratoplane_client.cli.output import Column, Details
from stratoplane_client.cli.session import Session
from stratoplane_client.errors import ApiError

if TYPE_CHECKING:
    from stratoplane_client.models.resources import Bucket, KeyPair, Network, Resource, VirtualMachine, Volume

Rows = Iterable[tuple[str, str]]
_MOST_NAMED = 50
"""Names that one command looks up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of resource.

    Attributes:
        noun: of the command, such as ``network``.
        plural: for messages about several.
        member: its name in the API's answers.
        calls: gives the client's calls for it in the session's project.
        columns: of the table of a list.
        details: the rows that show one in full.
        summary: what a line about a finished change says of the resource.
        related: the resources that it names by their ids, each with its kind.
        lists_related: whether lists name them, too.
    """

    noun: str
    plural: str
    member: str
    calls: Callable[[Session], Any]
    columns: tuple[Column, ...]
    details: Details
    summary: Callable[[Any], str]
    related: Callable[[Any], Iterable[tuple["Kind", str]]] = lambda _: ()
    lists_related: bool = False

    def names(self, session: Session, part: str) -> Iterable[str]:
        """Yield the names that contain ``part``."""
        return (each.name for each in self.calls(session).list(name_contains=part or None))


def names_of(session: Session, kind: Kind, shown: Iterable[Any]) -> dict[str, str]:
    """Return the names of the resources that others name by their ids; what cannot be read has none."""
    wanted = dict.fromkeys(pair for each in shown for pair in kind.related(each))
    found = {}
    for other, identifier in islice(wanted, _MOST_NAMED):
        with suppress(ApiError):
            found[identifier] = other.calls(session).get(identifier).name
    return found


def named(text: str, names: Mapping[str, str]) -> str:
    """Return a text with the names of resources in the place of their ids."""
    for identifier, name in names.items():
        text = text.replace(identifier, name)
    return text


NAME = Column("NAME", lambda each: each.name)
STATUS = Column("STATUS", lambda each: each.status)
CLUSTER = Column("CLUSTER", lambda each: each.cluster or "-")
LABELS = Column("LABELS", lambda each: tables.labels(each.labels))
AGE = Column("AGE", lambda each: tables.age(each.created_at))


def leading_rows(each: "Resource") -> Rows:
    yield "Name", each.name
    yield "Id", each.id
    yield "Status", each.status
    if each.detail:
        yield "", each.detail
    for found in each.differences:
        observed, desired = tables.value(found.observed), tables.value(found.desired)
        yield "Observed", f"{found.field} is {observed}; desired is {desired}"


def closing_rows(each: "Resource") -> Rows:
    yield "Labels", tables.labels(each.labels)
    yield "Cluster", each.cluster or "-"
    yield "Project", each.project_id
    yield "Used by", "\n".join(each.used_by) or "-"
    yield "Created", tables.timestamp(each.created_at)
    yield "Changed", tables.timestamp(each.updated_at)
    yield "Version", str(each.version)


def _machine(each: "VirtualMachine") -> Rows:
    addresses = [f"{found.address or '-'}  {found.mac}  network {found.network_id}" for found in each.addresses]
    yield from leading_rows(each)
    yield "Desired power", each.power
    yield "Flavor", f"{each.flavor} ({each.vcpus} CPU, {tables.memory(each.memory_mib)}, {each.disk_gib} GiB disk)"
    yield "Boots from", f"volume {each.boot_volume_id}" if each.boot_volume_id else f"image {each.image or '-'}"
    yield "Addresses", "\n".join(addresses) or "-"
    yield "Networks", "\n".join(each.network_ids) or "-"
    yield "Volumes", "\n".join(each.volume_ids) or "-"
    yield "Key", each.key_pair_id or "-"
    yield "Host", each.host or "-"
    yield from closing_rows(each)


def _network(each: "Network") -> Rows:
    yield from leading_rows(each)
    yield "Range", each.cidr
    yield "Gateway", each.gateway or "-"
    yield "Mode", each.mode
    yield from closing_rows(each)


def _volume(each: "Volume") -> Rows:
    yield from leading_rows(each)
    yield "Size", f"{each.size_gib} GiB"
    yield "Image", each.image_id or "-"
    yield from closing_rows(each)


def _bucket(each: "Bucket") -> Rows:
    yield from leading_rows(each)
    yield "Endpoint", each.endpoint or "-"
    yield from closing_rows(each)


def _key(each: "KeyPair") -> Rows:
    yield from leading_rows(each)
    yield "Fingerprint", each.fingerprint
    yield "Public key", each.public_key
    yield from closing_rows(each)


def _addresses(each: "VirtualMachine") -> str:
    return tables.joined(found.address for found in each.addresses if found.address)


def _of_machine(each: "VirtualMachine") -> Iterator[tuple[Kind, str]]:
    yield from ((NETWORKS, found) for found in each.network_ids)
    yield from ((VOLUMES, found) for found in each.volume_ids)
    if each.boot_volume_id:
        yield VOLUMES, each.boot_volume_id
    if each.key_pair_id:
        yield KEYS, each.key_pair_id


def _machines_of(each: "Network | Volume") -> Iterator[tuple[Kind, str]]:
    return ((MACHINES, found) for found in each.used_by)


def _machine_summary(each: "VirtualMachine") -> str:
    where = _addresses(each)
    return each.status if where == "-" else f"{each.status}, {where}"


MACHINES = Kind(
    noun="vm",
    plural="vms",
    member="virtual_machine",
    calls=lambda session: session.client.virtual_machines(session.project_id),
    columns=(
        NAME,
        STATUS,
        Column("FLAVOR", lambda each: each.flavor),
        Column("CPU", lambda each: str(each.vcpus)),
        Column("MEMORY", lambda each: tables.memory(each.memory_mib)),
        Column("ADDRESSES", _addresses),
        Column("IMAGE", lambda each: each.image or "-"),
        CLUSTER,
        AGE,
    ),
    details=_machine,
    summary=_machine_summary,
    related=_of_machine,
)
NETWORKS = Kind(
    noun="network",
    plural="networks",
    member="network",
    calls=lambda session: session.client.networks(session.project_id),
    columns=(
        NAME,
        STATUS,
        Column("RANGE", lambda each: each.cidr),
        Column("GATEWAY", lambda each: each.gateway or "-"),
        Column("MODE", lambda each: each.mode),
        Column("USED BY", lambda each: str(len(each.used_by))),
        CLUSTER,
        AGE,
    ),
    details=_network,
    summary=lambda each: f"{each.status}, {each.cidr}",
)
VOLUMES = Kind(
    noun="volume",
    plural="volumes",
    member="volume",
    calls=lambda session: session.client.volumes(session.project_id),
    columns=(
        NAME,
        STATUS,
        Column("SIZE", lambda each: f"{each.size_gib} GiB"),
        Column("USED BY", lambda each: tables.joined(each.used_by)),
        CLUSTER,
        AGE,
    ),
    details=_volume,
    summary=lambda each: f"{each.status}, {each.size_gib} GiB",
    related=_machines_of,
    lists_related=True,
)
BUCKETS = Kind(
    noun="bucket",
    plural="buckets",
    member="bucket",
    calls=lambda session: session.client.buckets(session.project_id),
    columns=(NAME, STATUS, Column("ENDPOINT", lambda each: each.endpoint or "-"), CLUSTER, AGE),
    details=_bucket,
    summary=lambda each: f"{each.status}, {each.endpoint}" if each.endpoint else each.status,
)
KEYS = Kind(
    noun="key",
    plural="keys",
    member="key_pair",
    calls=lambda session: session.client.key_pairs(session.project_id),
    columns=(NAME, Column("FINGERPRINT", lambda each: each.fingerprint), LABELS, AGE),
    details=_key,
    summary=lambda each: each.fingerprint,
)
BUILTIN = (MACHINES, NETWORKS, VOLUMES, BUCKETS, KEYS)
"""Every kind that this package has a command for."""
