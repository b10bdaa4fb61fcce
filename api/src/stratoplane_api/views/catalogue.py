# SPDX-License-Identifier: Apache-2.0
"""Flavors and images: what everybody may choose from, and how operators offer them."""

from typing import Final
from uuid import UUID

from flask import Response, request

from stratoplane.wire import from_json
from stratoplane_api import answers
from stratoplane_api.declarations import Body, Noun, change, creation, deletion, listing, reading
from stratoplane_api.gateway import context, database, page
from stratoplane_api.namespaces import COMMON, OPS
from stratoplane_api.presentation import catalogue as presentation
from stratoplane_api.schemas import examples
from stratoplane_api.schemas import platform as schemas
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.model.catalogue import FlavorDraft, FlavorPatch, ImageDraft, ImagePatch
from stratoplane_engine.services import catalogue

_READ: Final = Permission.PLATFORM_READ
_WRITE: Final = Permission.PLATFORM_WRITE
_FLAVOR: Final = Noun(tag="Flavors", answer=schemas.Flavor, example=examples.FLAVOR)
_IMAGE: Final = Noun(tag="Images", answer=schemas.Image, example=examples.IMAGE)
_OPERATOR_IMAGE: Final = Noun(tag="Images", answer=schemas.OperatorImage, example=examples.OPERATOR_IMAGE)


@COMMON.add(
    listing(
        "list_flavors",
        "/flavors",
        noun=_FLAVOR,
        access=Permission.SELF,
        summary="List flavors",
    )
)
def list_flavors() -> Response:
    return answers.page_of(catalogue.list_flavors(database(), page()), presentation.flavor)


@COMMON.add(
    listing(
        "list_images",
        "/images",
        noun=_IMAGE,
        access=Permission.SELF,
        summary="List images",
    )
)
def list_images() -> Response:
    return answers.page_of(catalogue.list_images(database(), page()), presentation.image)


@OPS.add(
    listing(
        "list_all_flavors",
        "/flavors",
        noun=_FLAVOR,
        access=_READ,
        summary="List flavors",
    )
)
def list_all_flavors() -> Response:
    return answers.page_of(catalogue.list_flavors(database(), page()), presentation.flavor)


@OPS.add(
    creation(
        "create_flavor",
        "/flavors",
        noun=_FLAVOR,
        access=_WRITE,
        summary="Create a flavor",
        body=schemas.FlavorCreate,
        body_example={"name": "small", "vcpus": 1, "memory_mib": 1024, "disk_gib": 10},
    )
)
def create_flavor(body: Body) -> Response:
    made = catalogue.create_flavor(database(), context(), from_json(FlavorDraft, body))
    return answers.created(presentation.flavor(made), f"{request.path}/{made.id}")


@OPS.add(
    reading(
        "get_flavor",
        "/flavors/<id:id>",
        noun=_FLAVOR,
        access=_READ,
        summary="Show a flavor",
    )
)
def get_flavor(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    return answers.item(presentation.flavor(catalogue.get_flavor(database(), context(), id)))


@OPS.add(
    change(
        "update_flavor",
        "/flavors/<id:id>",
        noun=_FLAVOR,
        access=_WRITE,
        summary="Change a flavor",
        body=schemas.FlavorUpdate,
        body_example={"memory_mib": 2048},
    )
)
def update_flavor(id: UUID, body: Body) -> Response:  # noqa: A002  # the path parameter's public name
    changed = catalogue.update_flavor(database(), context(), id, from_json(FlavorPatch, body))
    return answers.item(presentation.flavor(changed))


@OPS.add(deletion("delete_flavor", "/flavors/<id:id>", noun=_FLAVOR, access=_WRITE, summary="Delete a flavor"))
def delete_flavor(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    catalogue.delete_flavor(database(), context(), id)
    return answers.empty()


@OPS.add(
    listing(
        "list_all_images",
        "/images",
        noun=_OPERATOR_IMAGE,
        access=_READ,
        summary="List images",
    )
)
def list_all_images() -> Response:
    return answers.page_of(catalogue.list_images(database(), page()), presentation.operator_image)


@OPS.add(
    creation(
        "create_image",
        "/images",
        noun=_OPERATOR_IMAGE,
        access=_WRITE,
        summary="Create an image",
        body=schemas.ImageCreate,
        body_example={"name": "debian-12", "source": "debian-12.qcow2", "minimum_disk_gib": 2},
    )
)
def create_image(body: Body) -> Response:
    made = catalogue.create_image(database(), context(), from_json(ImageDraft, body))
    return answers.created(presentation.operator_image(made), f"{request.path}/{made.id}")


@OPS.add(
    reading(
        "get_image",
        "/images/<id:id>",
        noun=_OPERATOR_IMAGE,
        access=_READ,
        summary="Show an image",
    )
)
def get_image(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    return answers.item(presentation.operator_image(catalogue.get_image(database(), context(), id)))


@OPS.add(
    change(
        "update_image",
        "/images/<id:id>",
        noun=_OPERATOR_IMAGE,
        access=_WRITE,
        summary="Change an image",
        body=schemas.ImageUpdate,
        body_example={"description": "Debian 12 with cloud-init"},
    )
)
def update_image(id: UUID, body: Body) -> Response:  # noqa: A002  # the path parameter's public name
    changed = catalogue.update_image(database(), context(), id, from_json(ImagePatch, body))
    return answers.item(presentation.operator_image(changed))


@OPS.add(deletion("delete_image", "/images/<id:id>", noun=_OPERATOR_IMAGE, access=_WRITE, summary="Delete an image"))
def delete_image(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    catalogue.delete_image(database(), context(), id)
    return answers.empty()
