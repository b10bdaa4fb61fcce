# SPDX-License-Identifier: Apache-2.0
"""Networks of a project."""

from typing import Any
from uuid import UUID

from flask import Response

from stratoplane.wire import from_json
from stratoplane_api import answers
from stratoplane_api.gateway import context, database, page, plugins
from stratoplane_api.namespaces import TENANT
from stratoplane_api.presentation.networks import network
from stratoplane_api.views.changes import answer_change
from stratoplane_api.views.kinds import (
    NETWORK,
    creating_endpoint,
    deleting_endpoint,
    listing_endpoint,
    reading_endpoint,
    updating_endpoint,
)
from stratoplane_engine.kinds.network import NetworkPatch, NetworkRequest
from stratoplane_engine.services import networks


@TENANT.add(listing_endpoint("list_networks", NETWORK))
def list_networks(project_id: UUID) -> Response:
    return answers.page_of(networks.list_networks(database(), context(), project_id, page()), network)


@TENANT.add(creating_endpoint("create_network", NETWORK))
def create_network(project_id: UUID, body: dict[str, Any]) -> Response:
    wanted = from_json(NetworkRequest, body)
    outcome = networks.create_network(database(), context(), project_id, wanted, plugins=plugins())
    return answer_change(NETWORK, project_id, outcome)


@TENANT.add(reading_endpoint("get_network", NETWORK))
def get_network(project_id: UUID, id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    return answers.item(network(networks.get_network(database(), context(), project_id, id)))


@TENANT.add(updating_endpoint("update_network", NETWORK))
def update_network(project_id: UUID, id: UUID, body: dict[str, Any]) -> Response:  # noqa: A002
    patch = from_json(NetworkPatch, body)
    outcome = networks.update_network(database(), context(), project_id, id, patch, plugins=plugins())
    return answer_change(NETWORK, project_id, outcome)


@TENANT.add(deleting_endpoint("delete_network", NETWORK))
def delete_network(project_id: UUID, id: UUID) -> Response:  # noqa: A002
    outcome = networks.delete_network(database(), context(), project_id, id, plugins=plugins())
    return answer_change(NETWORK, project_id, outcome)
