# SPDX-License-Identifier: Apache-2.0
"""The serial console of simulated machines."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Final
from uuid import UUID

from stratoplane_mock.addresses import parse_range
from stratoplane_mock.ownership import Tenancy, required_row
from stratoplane_mock.rules import Kind
from stratoplane_mock.store import Row, Transaction

_EVENTS_KEPT: Final = 40
_CONSOLE_CHARACTERS: Final = 64 * 1024
_MIB: Final = 1024


class Event(StrEnum):
    """An event that a machine writes to its console."""

    BOOT = "boot"
    REBOOT = "reboot"
    STOP = "stop"


def first(at: float) -> str:
    """Return the stored form of a console whose machine boots at ``at`` for the first time."""
    return json.dumps([[Event.BOOT, at]])


def note(transaction: Transaction, row: Row, *events: Event) -> None:
    """Add events to the console of the machine in ``row``."""
    kept = [*json.loads(row["console"]), *([event, transaction.now] for event in events)][-_EVENTS_KEPT:]
    transaction.run("UPDATE machine SET console = ? WHERE uid = ?", json.dumps(kept), row["uid"])


def console_log(transaction: Transaction, tenancy: Tenancy, uid: UUID) -> str:
    """Return the last 64 KiB that a machine wrote; raises NotFoundError if it does not exist."""
    row = required_row(transaction, tenancy, Kind.MACHINE, uid)
    cards = transaction.rows(
        "SELECT card.mac, card.address, network.cidr, network.gateway FROM card"
        " JOIN network ON network.uid = card.network WHERE card.machine = ? ORDER BY card.position",
        str(uid),
    )
    happened = [(event, at) for event, at in json.loads(row["console"]) if at <= transaction.now]
    lines = [line for event, at in happened for line in _lines(Event(event), at, row, cards)]
    return "\n".join([*lines, ""])[-_CONSOLE_CHARACTERS:] if lines else ""


def _lines(event: Event, at: float, row: Row, cards: list[Row]) -> Iterator[str]:
    clock = datetime.fromtimestamp(at, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
    if event is Event.STOP:
        yield f"[  OK  ] Reached target poweroff.target - System Power Off ({clock})."
        yield "reboot: Power down"
        return
    if event is Event.REBOOT:
        yield f"[  OK  ] Reached target reboot.target - System Reboot ({clock})."
        yield "reboot: Restarting system"
        return
    yield "[    0.000000] Linux version 6.1.0-mock (simulated by stratoplane-mock: no guest runs here)"
    yield f"[    0.004000] smpboot: Allowing {row['vcpus']} CPUs, 0 hotplug CPUs"
    yield f"[    0.008000] Memory: {row['memory_mib'] * _MIB}K/{row['memory_mib'] * _MIB}K available"
    yield f"[    1.100000] systemd[1]: Hostname set to <{row['name']}>."
    for number, card in enumerate(cards):
        yield _card_line(number, card)
    yield f"ci-info: authorized keys from the key pair for user debian: {row['ssh_keys']}"
    yield f"Cloud-init finished at {clock}. Datasource DataSourceNoCloud. Up 2.50 seconds"
    yield ""
    yield f"{row['name']} login: "


def _card_line(number: int, card: Row) -> str:
    address, prefix = IPv4Address(card["address"]), parse_range(card["cidr"]).prefixlen
    return f"ci-info: eth{number} | up | {address}/{prefix} | via {card['gateway']} | {card['mac']}"
