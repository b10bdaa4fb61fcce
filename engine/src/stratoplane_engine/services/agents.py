# SPDX-License-Identifier: Apache-2.0
"""What agents may do: say what they have, take operations, report results and inventory.

Everything is bound to the cluster of the agent's key; nothing in a request's body can name another.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from stratoplane.crashpoints import crashpoint
from stratoplane.drivers import MOST_IMAGES
from stratoplane.errors import InvalidSpecError
from stratoplane.messages import (
    LONGEST_PROVIDER_TEXT,
    AcknowledgementAnswer,
    Acknowledgements,
    Hello,
    Inventory,
    InventoryAnswer,
    ListingReport,
    OfferRequest,
    Offers,
    OperationReference,
    OperationResult,
    ProviderReport,
    ProviderStatus,
    Results,
    ResultsAnswer,
    Welcome,
)
from stratoplane_engine.db import agent_keys, circuits
from stratoplane_engine.db import agents as rows
from stratoplane_engine.db import audit as audit_rows
from stratoplane_engine.db import incidents as incident_rows
from stratoplane_engine.db import operations as operation_rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.jobs.failure_records import circuit_key, open_circuit
from stratoplane_engine.jobs.runner import RETRY
from stratoplane_engine.model.cluster import Refusal
from stratoplane_engine.services import foreign_objects
from stratoplane_engine.services.agent_authentication import AgentIdentity, refused
from stratoplane_engine.services.audit_records import refused_agent_record
from stratoplane_engine.services.enrolment import check_protocol

POLL_SECONDS: Final = 50.0
KEY_SECONDS: Final = 12 * 3600.0
LARGEST_OFFER: Final = 200
_OLDEST_INVENTORY: Final = 86_400.0
_MOST_LISTINGS: Final = 200
_LONGEST_CODE: Final = 64
_LONGEST_SOURCE: Final = 255
_DIGEST: Final = 64
_LONGEST_DETAIL: Final = 4_000
# Everything but tab and line feed below the space, and what else moves a terminal's cursor.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def hello(database: Database, agent: AgentIdentity, message: Hello, *, inventory_seconds: float) -> Welcome:
    """Record which drivers the agent has and what the cluster can do and hold.

    Args:
        inventory_seconds: how long the agent is to wait between its inventories, in seconds.

    Raises:
        InvalidSpecError: the agent speaks a protocol that is not served; the refusal is on record.
    """
    _check_protocol(database, agent, message)
    ready = [provider for provider in message.providers if provider.status is ProviderStatus.READY]
    features = sorted({provider.interface for provider in ready} | {each for one in ready for each in one.features})
    with database.system() as connection:
        rows.set_version(connection, agent.id, version=message.version, protocol=message.protocol)
        rows.replace_providers(connection, agent.cluster_id, [*map(_with_images, message.providers)], features)
        rows.set_capacity(connection, agent.cluster_id, message.capacity)
    return Welcome(
        server_time=datetime.now(UTC).isoformat(),
        poll_seconds=POLL_SECONDS,
        inventory_seconds=inventory_seconds,
        key_seconds=KEY_SECONDS,
    )


def _with_images(provider: ProviderReport) -> ProviderReport:
    """Return a report whose images are within bounds; too many are as good as not told."""
    if provider.images is None or len(provider.images) > MOST_IMAGES:
        return replace(provider, images=None)
    named = (each for each in provider.images if each.uid or 0 < len(each.source) <= _LONGEST_SOURCE)
    plain = (each for each in named if not _CONTROLS.search(each.source + each.sha256))
    return replace(provider, images=tuple(replace(each, sha256=each.sha256[:_DIGEST].lower()) for each in plain))


def _check_protocol(database: Database, agent: AgentIdentity, message: Hello) -> None:
    try:
        check_protocol(message.protocol)
    except InvalidSpecError:
        detail = {"protocol": message.protocol, "version": message.version[:_LONGEST_CODE]}
        with database.system() as connection:
            if agent_keys.is_first_refusal(connection, agent.id, Refusal.PROTOCOL):
                record = refused_agent_record(agent.id, Refusal.PROTOCOL, name=agent.name, detail=detail)
                audit_rows.write(connection, record)
        raise


def take_offers(database: Database, agent: AgentIdentity, request: OfferRequest) -> Offers:
    """Return the operations that are open now; the gateway waits and asks again when there are none.

    Raises:
        AuthenticationFailedError: the agent was revoked or locked while it waited.
    """
    maximum = max(1, min(request.maximum, LARGEST_OFFER))
    with database.system() as connection:
        is_blocked = agent_keys.is_blocked(connection, agent.id)
        if request.waiting and not is_blocked:
            _hear_of_acceptance(connection, agent.cluster_id, request.waiting[:LARGEST_OFFER])
        found = [] if is_blocked else operation_rows.offer(connection, agent.cluster_id, agent.id, maximum)
    crashpoint("agent-api-after-offer")
    if is_blocked:
        raise refused(database, agent.id, Refusal.REVOKED, "the agent was revoked or locked; enrol it again")
    return Offers(operations=tuple(found), acknowledge_seconds=operation_rows.ACKNOWLEDGE_SECONDS)


def _hear_of_acceptance(connection: Connection, cluster_id: UUID, waiting: Sequence[OperationReference]) -> None:
    if circuits.close_accepted(connection, cluster_id, waiting):
        incident_rows.resolve(connection, circuit_key(cluster_id))


def acknowledge(database: Database, agent: AgentIdentity, message: Acknowledgements) -> AcknowledgementAnswer:
    """Give the operations to the agent that it is about to execute, unless they were taken back."""
    with database.system() as connection:
        accepted = operation_rows.acknowledge(connection, agent.cluster_id, message.operations)
    crashpoint("agent-api-after-acknowledgement")
    asked = [reference.id for reference in message.operations]
    return AcknowledgementAnswer(
        accepted=tuple(each for each in asked if each in accepted),
        refused=tuple(each for each in asked if each not in accepted),
    )


def report_results(database: Database, agent: AgentIdentity, message: Results) -> ResultsAnswer:
    """Take results; the same result may come twice, one of an older epoch changes nothing."""
    results = [_within_bounds(each) for each in message.results]
    with database.system() as connection:
        reception = operation_rows.report(connection, agent.cluster_id, results)
        if reception.trips:
            incident_rows.report(connection, open_circuit(agent.cluster_id, reception.trips))
        if reception.closed:
            incident_rows.resolve(connection, circuit_key(agent.cluster_id))
    crashpoint("agent-api-after-results")
    return ResultsAnswer(accepted=tuple(sorted(reception.accepted)), stale=tuple(sorted(reception.stale)))


def _within_bounds(result: OperationResult) -> OperationResult:
    """Return a result within bounds: texts of some length that command no terminal, and a wait that is a duration.

    The driver's status stays whole.
    """
    return replace(
        result,
        retry_after=None if result.retry_after is None else RETRY.wish(result.retry_after),
        code=_CONTROLS.sub("", result.code)[:_LONGEST_CODE],
        detail=_CONTROLS.sub("", result.detail)[:_LONGEST_DETAIL],
        provider_text=_CONTROLS.sub("", result.provider_text)[:LONGEST_PROVIDER_TEXT],
    )


def report_inventory(database: Database, agent: AgentIdentity, message: Inventory) -> InventoryAnswer:
    """Record what the cluster holds, or what changed; the reconciler compares it with what it should."""
    inventory = replace(message, age_seconds=min(max(0.0, message.age_seconds), _OLDEST_INVENTORY))
    wanted = frozenset[str]()
    with database.system() as connection:
        if inventory.sequence > 0:
            wanted = rows.change_inventory(connection, agent.cluster_id, inventory)
        else:
            rows.replace_inventory(connection, agent.cluster_id, inventory)
        foreign_objects.record_listing(connection, agent.cluster_id, message)
        if message.listings:
            rows.set_listings(connection, agent.cluster_id, [*map(_plain, message.listings[:_MOST_LISTINGS])])
        rows.set_capacity(connection, agent.cluster_id, inventory.capacity)
    return InventoryAnswer(wanted=tuple(sorted(wanted)))


def _plain(listing: ListingReport) -> ListingReport:
    """Return a report within bounds: an age that is a duration, and texts of some length that command no terminal."""
    age = listing.age_seconds if math.isfinite(listing.age_seconds) else _OLDEST_INVENTORY
    return replace(
        listing,
        name=_CONTROLS.sub("", listing.name)[:_LONGEST_CODE],
        age_seconds=min(max(0.0, age), _OLDEST_INVENTORY),
        error=_CONTROLS.sub("", listing.error)[:_LONGEST_DETAIL],
    )


def clusters_with_work(database: Database) -> frozenset[UUID]:
    """Return the clusters that have something to offer, for a gateway that may have missed a notification."""
    with database.system_reads() as connection:
        return rows.clusters_with_work(connection)
