# SPDX-License-Identifier: Apache-2.0
"""Buckets of a project."""

from typing import Any
from uuid import UUID

from flask import Response

from stratoplane.wire import from_json
from stratoplane_api import answers
from stratoplane_api.gateway import context, database, page, plugins
from stratoplane_api.namespaces import TENANT
from stratoplane_api.presentation.buckets import bucket
from stratoplane_api.views.changes import answer_change
from stratoplane_api.views.kinds import (
    BUCKET,
    creating_endpoint,
    deleting_endpoint,
    listing_endpoint,
    reading_endpoint,
    updating_endpoint,
)
from stratoplane_engine.kinds.bucket import BucketPatch, BucketRequest
from stratoplane_engine.services import buckets


@TENANT.add(listing_endpoint("list_buckets", BUCKET))
def list_buckets(project_id: UUID) -> Response:
    return answers.page_of(buckets.list_buckets(database(), context(), project_id, page()), bucket)


@TENANT.add(creating_endpoint("create_bucket", BUCKET))
def create_bucket(project_id: UUID, body: dict[str, Any]) -> Response:
    wanted = from_json(BucketRequest, body)
    outcome = buckets.create_bucket(database(), context(), project_id, wanted, plugins=plugins())
    return answer_change(BUCKET, project_id, outcome)


@TENANT.add(reading_endpoint("get_bucket", BUCKET))
def get_bucket(project_id: UUID, id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    return answers.item(bucket(buckets.get_bucket(database(), context(), project_id, id)))


@TENANT.add(updating_endpoint("update_bucket", BUCKET))
def update_bucket(project_id: UUID, id: UUID, body: dict[str, Any]) -> Response:  # noqa: A002
    patch = from_json(BucketPatch, body)
    outcome = buckets.update_bucket(database(), context(), project_id, id, patch, plugins=plugins())
    return answer_change(BUCKET, project_id, outcome)


@TENANT.add(deleting_endpoint("delete_bucket", BUCKET))
def delete_bucket(project_id: UUID, id: UUID) -> Response:  # noqa: A002
    outcome = buckets.delete_bucket(database(), context(), project_id, id, plugins=plugins())
    return answer_change(BUCKET, project_id, outcome)
