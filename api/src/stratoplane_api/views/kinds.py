# SPDX-License-Identifier: Apache-2.0
"""Kinds of resources as the tenants' namespace serves them, and what the operations of each declare."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stratoplane.kinds import AnyKind, display_name
from stratoplane_api.endpoints import LARGEST_BODY, Endpoint, Feature
from stratoplane_api.presentation.buckets import bucket
from stratoplane_api.presentation.key_pairs import key_pair
from stratoplane_api.presentation.networks import network
from stratoplane_api.presentation.virtual_machines import virtual_machine
from stratoplane_api.presentation.volumes import volume
from stratoplane_api.schemas import compute, examples, storage
from stratoplane_api.schemas import network as networking
from stratoplane_api.schemas.queries import ChangeQuery, resource_query
from stratoplane_api.schemas.resources import Resource, accepted, planned
from stratoplane_api.schemas.strict import Request, list_of
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS, Kinds
from stratoplane_engine.model.resource import Resource as ResourceValue

COLLECTION: Final = "/projects/<id:project_id>"


@dataclass(frozen=True, kw_only=True, slots=True)
class KindRoutes:
    """One kind: what it shows, what requests hold, and an example of each.

    Attributes:
        present: makes the wire form of a resource of the kind.
        example: a resource as it is shown.
        update_verb: what the job of the change ``update_example`` is called, behind the kind's name.
    """

    kind: AnyKind
    present: Callable[[ResourceValue[Any]], dict[str, object]]  # of the kind's spec
    answer: type[Resource]
    create: type[Request]
    update: type[Request]
    example: Mapping[str, Any]
    create_example: Mapping[str, Any]
    update_example: Mapping[str, Any]
    update_verb: str = "rename"

    @property
    def name(self) -> str:
        """The kind's name, and that of the member that holds one in an answer."""
        return self.kind.name

    @property
    def path(self) -> str:
        """The last segment of the collection's path."""
        return self.kind.plural.replace("_", "-")

    @property
    def noun(self) -> str:
        """The kind's name as people read it."""
        return display_name(self.kind.name)

    @property
    def nouns(self) -> str:
        """The name for several as people read it."""
        return display_name(self.kind.plural)

    @property
    def tag(self) -> str:
        """The heading of the document under which it is listed."""
        return self.nouns.capitalize()

    @property
    def deferred(self) -> bool:
        """Whether changes take time and answer with a job."""
        return self.kind.interface is not None


def listing_endpoint(operation_id: str, routes: KindRoutes) -> Endpoint:
    """Return what the operation declares that lists a project's resources of a kind."""
    return Endpoint(
        id=operation_id,
        method="GET",
        path=f"{COLLECTION}/{routes.path}",
        access=Permission.RESOURCE_READ,
        summary=f"List the {routes.nouns} of a project",
        tag=routes.tag,
        query=resource_query(routes.kind),
        answer=list_of(routes.answer),
        features=frozenset({Feature.PAGED}),
        example={"items": [routes.example], "next": None},
    )


def creating_endpoint(operation_id: str, routes: KindRoutes) -> Endpoint:
    """Return what the operation declares that creates a resource of a kind."""
    return Endpoint(
        id=operation_id,
        method="POST",
        path=f"{COLLECTION}/{routes.path}",
        access=Permission.RESOURCE_WRITE,
        summary=f"Create a {routes.noun}",
        tag=routes.tag,
        query=ChangeQuery,
        body=routes.create,
        body_limit=LARGEST_BODY,
        body_example=routes.create_example,
        success=202 if routes.deferred else 201,
        answer=accepted(routes.name, routes.answer),
        plan=planned(routes.name, routes.answer),
        features=_features(routes, Feature.IDEMPOTENT),
        example=_example(routes, "create"),
        errors=(409,),
    )


def reading_endpoint(operation_id: str, routes: KindRoutes) -> Endpoint:
    """Return what the operation declares that shows a resource of a kind."""
    return Endpoint(
        id=operation_id,
        method="GET",
        path=f"{COLLECTION}/{routes.path}/<id:id>",
        access=Permission.RESOURCE_READ,
        summary=f"Show a {routes.noun}",
        tag=routes.tag,
        answer=routes.answer,
        features=frozenset({Feature.VERSIONED}),
        example=routes.example,
        errors=(410,),
    )


def updating_endpoint(operation_id: str, routes: KindRoutes) -> Endpoint:
    """Return what the operation declares that changes a resource of a kind."""
    return Endpoint(
        id=operation_id,
        method="PATCH",
        path=f"{COLLECTION}/{routes.path}/<id:id>",
        access=Permission.RESOURCE_WRITE,
        summary=f"Change a {routes.noun}",
        description="Members that are left out stay as they are. 200 when nothing is left to do.",
        tag=routes.tag,
        query=ChangeQuery,
        body=routes.update,
        body_limit=LARGEST_BODY,
        body_example=routes.update_example,
        success=202 if routes.deferred else 200,
        answer=accepted(routes.name, routes.answer),
        plan=planned(routes.name, routes.answer),
        features=_features(routes, Feature.IDEMPOTENT, Feature.VERSIONED),
        example=_example(routes, routes.update_verb),
        errors=(410,),
    )


def deleting_endpoint(operation_id: str, routes: KindRoutes) -> Endpoint:
    """Return what the operation declares that deletes a resource of a kind."""
    return Endpoint(
        id=operation_id,
        method="DELETE",
        path=f"{COLLECTION}/{routes.path}/<id:id>",
        access=Permission.RESOURCE_WRITE,
        summary=f"Delete a {routes.noun}",
        tag=routes.tag,
        query=ChangeQuery,
        success=202 if routes.deferred else 200,
        answer=accepted(routes.name, routes.answer),
        plan=planned(routes.name, routes.answer),
        features=_features(routes, Feature.IDEMPOTENT, Feature.VERSIONED),
        example=_example(routes, "delete"),
        errors=(410,),
    )


def _features(routes: KindRoutes, *features: Feature) -> frozenset[Feature]:
    return frozenset({*features, Feature.DEFERRED} if routes.deferred else features)


def _example(routes: KindRoutes, verb: str) -> dict[str, Any]:
    shown = routes.example
    if not routes.deferred:
        return {routes.name: shown, "job": None}
    job = examples.job(f"{routes.name}.{verb}", shown["id"], shown["name"], Kinds((routes.kind,)))
    return {routes.name: shown, "job": job}


VIRTUAL_MACHINE: Final = KindRoutes(
    kind=BUILTIN_KINDS["virtual_machine"],
    present=virtual_machine,
    answer=compute.VirtualMachine,
    create=compute.VirtualMachineCreate,
    update=compute.VirtualMachineUpdate,
    example=examples.VIRTUAL_MACHINE,
    create_example=examples.VIRTUAL_MACHINE_CREATE,
    update_example={"power": "STOPPED"},
    update_verb="stop",
)
NETWORK: Final = KindRoutes(
    kind=BUILTIN_KINDS["network"],
    present=network,
    answer=networking.Network,
    create=networking.NetworkCreate,
    update=networking.NetworkUpdate,
    example=examples.NETWORK,
    create_example={"name": "front", "cidr": "10.20.0.0/24", "labels": {"env": "prod"}},
    update_example={"name": "frontend", "labels": {"env": "test"}},
)
VOLUME: Final = KindRoutes(
    kind=BUILTIN_KINDS["volume"],
    present=volume,
    answer=storage.Volume,
    create=storage.VolumeCreate,
    update=storage.VolumeUpdate,
    example=examples.VOLUME,
    create_example={"name": "data-1", "size_gib": 20},
    update_example={"size_gib": 40},
    update_verb="resize",
)
BUCKET: Final = KindRoutes(
    kind=BUILTIN_KINDS["bucket"],
    present=bucket,
    answer=storage.Bucket,
    create=storage.BucketCreate,
    update=storage.BucketUpdate,
    example=examples.BUCKET,
    create_example={"name": "backups"},
    update_example={"name": "old-backups", "labels": {"tier": "cold"}},
)
KEY_PAIR: Final = KindRoutes(
    kind=BUILTIN_KINDS["key_pair"],
    present=key_pair,
    answer=compute.KeyPair,
    create=compute.KeyPairCreate,
    update=compute.KeyPairUpdate,
    example=examples.KEY_PAIR,
    create_example={"name": "alice", "public_key": examples.PUBLIC_KEY},
    update_example={"name": "alice-2026"},
)
KINDS: Final = (VIRTUAL_MACHINE, NETWORK, VOLUME, BUCKET, KEY_PAIR)
"""The built-in kinds."""
