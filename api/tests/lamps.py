# SPDX-License-Identifier: Apache-2.0
"""A plugin with a kind that has every sort of rule, and with a say in what may be made or changed."""

import uuid
from dataclasses import dataclass, field, replace
from enum import StrEnum

from stratoplane.errors import Violation
from stratoplane.hookspecs import AdmissionRequest, hookimpl
from stratoplane.kinds import Draft, Kind, References, ResourcePatch, ResourceRequest, Spec


class Colour(StrEnum):
    RED = "RED"
    BLUE = "BLUE"


@dataclass(frozen=True, kw_only=True, slots=True)
class LampSpec(Spec):
    watts: int
    colour: Colour
    place: str
    rooms: tuple[uuid.UUID, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LampRequest(ResourceRequest):
    """A lamp; every sort of rule that a plugin's kind can have."""

    watts: int = field(metadata={"least": 5, "most": 60})
    colour: Colour = Colour.RED
    place: str = field(default="hall", metadata={"pattern": "^[a-z]{2,8}$"})
    title: str = field(default="", metadata={"most": 12})
    rooms: tuple[uuid.UUID, ...] = field(default=(), metadata={"most": 2})


@dataclass(frozen=True, kw_only=True, slots=True)
class LampPatch(ResourcePatch):
    """What may change of a lamp; the rules are those of the request."""

    watts: int | None = None
    colour: Colour | None = None
    place: str | None = None
    title: str | None = None
    rooms: tuple[uuid.UUID, ...] | None = None


class LampKind(Kind[LampSpec, LampRequest, LampPatch]):
    """A lamp."""

    name, quota_key, interface = "lamp", "lamps", None
    default_limit = 1_000
    spec, request, patch = LampSpec, LampRequest, LampPatch

    def references(self, wanted):
        return References()

    def draft(self, wanted, found):
        spec = LampSpec(watts=wanted.watts, colour=wanted.colour, place=wanted.place, rooms=wanted.rooms)
        return Draft(spec=spec)

    def redraft(self, present, change, found):
        given = {each: getattr(change, each) for each in ("watts", "colour", "place", "rooms")}
        return Draft(spec=replace(present, **{name: value for name, value in given.items() if value is not None}))

    def quota_usage(self, spec):
        return {"lamps": 1}


class Policy:
    """A plugin with a kind, and with a say in what may be made or changed."""

    @hookimpl
    def stratoplane_kinds(self):
        return (LampKind(),)

    @hookimpl
    def stratoplane_admit(self, request: AdmissionRequest):
        if request.labels.get("policy") == "breaks":
            raise RuntimeError("a policy that breaks")
        if request.labels.get("policy") == "refuses":
            return [Violation(pointer="/labels/policy", detail="is not allowed")]
        return []
