# SPDX-License-Identifier: Apache-2.0
"""Key pairs of a project."""

from typing import Any
from uuid import UUID

from flask import Response

from stratoplane.wire import from_json
from stratoplane_api import answers
from stratoplane_api.gateway import context, database, page, plugins
from stratoplane_api.namespaces import TENANT
from stratoplane_api.presentation.key_pairs import key_pair
from stratoplane_api.views.changes import answer_change
from stratoplane_api.views.kinds import (
    KEY_PAIR,
    creating_endpoint,
    deleting_endpoint,
    listing_endpoint,
    reading_endpoint,
    updating_endpoint,
)
from stratoplane_engine.kinds.key_pair import KeyPairPatch, KeyPairRequest
from stratoplane_engine.services import key_pairs


@TENANT.add(listing_endpoint("list_key_pairs", KEY_PAIR))
def list_key_pairs(project_id: UUID) -> Response:
    return answers.page_of(key_pairs.list_key_pairs(database(), context(), project_id, page()), key_pair)


@TENANT.add(creating_endpoint("create_key_pair", KEY_PAIR))
def create_key_pair(project_id: UUID, body: dict[str, Any]) -> Response:
    wanted = from_json(KeyPairRequest, body)
    outcome = key_pairs.create_key_pair(database(), context(), project_id, wanted, plugins=plugins())
    return answer_change(KEY_PAIR, project_id, outcome)


@TENANT.add(reading_endpoint("get_key_pair", KEY_PAIR))
def get_key_pair(project_id: UUID, id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    return answers.item(key_pair(key_pairs.get_key_pair(database(), context(), project_id, id)))


@TENANT.add(updating_endpoint("update_key_pair", KEY_PAIR))
def update_key_pair(project_id: UUID, id: UUID, body: dict[str, Any]) -> Response:  # noqa: A002
    patch = from_json(KeyPairPatch, body)
    outcome = key_pairs.update_key_pair(database(), context(), project_id, id, patch, plugins=plugins())
    return answer_change(KEY_PAIR, project_id, outcome)


@TENANT.add(deleting_endpoint("delete_key_pair", KEY_PAIR))
def delete_key_pair(project_id: UUID, id: UUID) -> Response:  # noqa: A002
    outcome = key_pairs.delete_key_pair(database(), context(), project_id, id, plugins=plugins())
    return answer_change(KEY_PAIR, project_id, outcome)
