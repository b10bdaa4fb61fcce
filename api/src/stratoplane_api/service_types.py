# SPDX-License-Identifier: Apache-2.0
"""Shapes of the engine's services, and the names that views need of the engine beside its services."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias
from uuid import UUID

from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.db.catalogue import Offer
from stratoplane_engine.db.connection import Database
from stratoplane_engine.model.listing import Listing, Page

Json: TypeAlias = Mapping[str, Any]
ListService: TypeAlias = Callable[[Database, RequestContext, Page], Listing[Json]]
CreateService: TypeAlias = Callable[[Database, RequestContext, Json], Json]
GetService: TypeAlias = Callable[[Database, RequestContext, UUID], Json]
UpdateService: TypeAlias = Callable[[Database, RequestContext, UUID, Json], Json]
DeleteService: TypeAlias = Callable[[Database, RequestContext, UUID], None]

OfferKind: TypeAlias = Offer
FLAVOR: Final = Offer.FLAVOR
IMAGE: Final = Offer.IMAGE
