# SPDX-License-Identifier: Apache-2.0
"""Flavors and images: what everybody may choose from, and how operators offer them."""

from typing import Final

from stratoplane_api.routes import Routes
from stratoplane_api.schemas import examples
from stratoplane_api.schemas import platform as schemas
from stratoplane_api.schemas.strict import Request
from stratoplane_api.service_types import FLAVOR, IMAGE, Json, OfferKind
from stratoplane_api.views import collections
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.services import catalogue

FLAVORS: Final = collections.Noun(
    name="flavor",
    plural="flavors",
    path="/flavors",
    answer=schemas.Flavor,
    example=examples.FLAVOR,
    read=Permission.PLATFORM_READ,
    write=Permission.PLATFORM_WRITE,
)
IMAGES: Final = collections.Noun(
    name="image",
    plural="images",
    path="/images",
    answer=schemas.OperatorImage,
    example=examples.OPERATOR_IMAGE,
    read=Permission.PLATFORM_READ,
    write=Permission.PLATFORM_WRITE,
)
OFFERED_FLAVORS: Final = collections.Noun(
    name="flavor",
    plural="flavors",
    path="/flavors",
    answer=schemas.Flavor,
    example=examples.FLAVOR,
    read=Permission.SELF,
    write=Permission.PLATFORM_WRITE,
)
OFFERED_IMAGES: Final = collections.Noun(
    name="image",
    plural="images",
    path="/images",
    answer=schemas.Image,
    example=examples.IMAGE,
    read=Permission.SELF,
    write=Permission.PLATFORM_WRITE,
)


def serve(routes: Routes) -> None:
    """Add what everybody sees to ``routes``."""
    for noun, kind in ((OFFERED_FLAVORS, FLAVOR), (OFFERED_IMAGES, IMAGE)):
        _serve_offered(routes, noun, kind)


def serve_operators(routes: Routes) -> None:
    """Add what operators do to ``routes``."""
    flavor = {"name": "small", "vcpus": 1, "memory_mib": 1024, "disk_gib": 10}
    _serve_kept(routes, FLAVORS, FLAVOR, (schemas.FlavorCreate, flavor), (schemas.FlavorUpdate, {"memory_mib": 2048}))
    image = {"name": "debian-12", "source": "debian-12.qcow2", "minimum_disk_gib": 2}
    change = {"description": "Debian 12 with cloud-init"}
    _serve_kept(routes, IMAGES, IMAGE, (schemas.ImageCreate, image), (schemas.ImageUpdate, change))


def _serve_offered(routes: Routes, noun: collections.Noun, kind: OfferKind) -> None:
    collections.serve_list(
        routes, noun, lambda database, context, page: catalogue.list_offers(database, context, kind, page)
    )


def _serve_kept(
    routes: Routes,
    noun: collections.Noun,
    kind: OfferKind,
    create: tuple[type[Request], Json],
    update: tuple[type[Request], Json],
) -> None:
    """Add the operators' five operations; ``create`` and ``update`` are a request's schema and example."""
    collections.serve_list(
        routes,
        noun,
        lambda database, context, page: catalogue.list_offers_whole(database, context, kind, page),
        f"list_all_{noun.plural}",
    )
    collections.serve_create(
        routes, noun, *create, lambda database, context, body: catalogue.create_offer(database, context, kind, body)
    )
    collections.serve_get(
        routes, noun, lambda database, context, key: catalogue.get_offer(database, context, kind, key)
    )
    collections.serve_update(
        routes,
        noun,
        *update,
        lambda database, context, key, body: catalogue.update_offer(database, context, kind, key, body),
    )
    collections.serve_delete(
        routes, noun, lambda database, context, key: catalogue.delete_offer(database, context, kind, key)
    )
