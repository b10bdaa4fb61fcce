# SPDX-License-Identifier: Apache-2.0
"""Volumes of a project."""

from typing import Any
from uuid import UUID

from flask import Response

from stratoplane.wire import from_json
from stratoplane_api import answers
from stratoplane_api.gateway import context, database, page, plugins
from stratoplane_api.namespaces import TENANT
from stratoplane_api.presentation.volumes import volume
from stratoplane_api.views.changes import answer_change
from stratoplane_api.views.kinds import (
    VOLUME,
    creating_endpoint,
    deleting_endpoint,
    listing_endpoint,
    reading_endpoint,
    updating_endpoint,
)
from stratoplane_engine.kinds.volume import VolumePatch, VolumeRequest
from stratoplane_engine.services import volumes


@TENANT.add(listing_endpoint("list_volumes", VOLUME))
def list_volumes(project_id: UUID) -> Response:
    return answers.page_of(volumes.list_volumes(database(), context(), project_id, page()), volume)


@TENANT.add(creating_endpoint("create_volume", VOLUME))
def create_volume(project_id: UUID, body: dict[str, Any]) -> Response:
    wanted = from_json(VolumeRequest, body)
    outcome = volumes.create_volume(database(), context(), project_id, wanted, plugins=plugins())
    return answer_change(VOLUME, project_id, outcome)


@TENANT.add(reading_endpoint("get_volume", VOLUME))
def get_volume(project_id: UUID, id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    return answers.item(volume(volumes.get_volume(database(), context(), project_id, id)))


@TENANT.add(updating_endpoint("update_volume", VOLUME))
def update_volume(project_id: UUID, id: UUID, body: dict[str, Any]) -> Response:  # noqa: A002
    patch = from_json(VolumePatch, body)
    outcome = volumes.update_volume(database(), context(), project_id, id, patch, plugins=plugins())
    return answer_change(VOLUME, project_id, outcome)


@TENANT.add(deleting_endpoint("delete_volume", VOLUME))
def delete_volume(project_id: UUID, id: UUID) -> Response:  # noqa: A002
    outcome = volumes.delete_volume(database(), context(), project_id, id, plugins=plugins())
    return answer_change(VOLUME, project_id, outcome)
