# SPDX-License-Identifier: Apache-2.0
"""Kinds of resources: what a kind shows, and which kinds of plugins can be served."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest

from stratoplane.errors import InvalidSpecError
from stratoplane.hookspecs import hookimpl
from stratoplane.kinds import Draft, Kind, References, ResourcePatch, ResourceRequest, Spec
from stratoplane.registry import Extension, ExtensionState, load_kinds, load_plugins, resource_kind_problem
from stratoplane.spec_changes import SpecChange


@dataclass(frozen=True, kw_only=True, slots=True)
class GateSpec(Spec):
    """Desired state of a gate."""

    height: int
    guards: tuple[UUID, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class GateRequest(ResourceRequest):
    """A gate to make."""

    height: int


@dataclass(frozen=True, kw_only=True, slots=True)
class GatePatch(ResourcePatch):
    """What may change of a gate."""

    height: int | None = None


class GateKind(Kind[GateSpec, GateRequest, GatePatch]):
    """Gates."""

    name = "gate"
    interface = "gate"
    quota_key = "gates"
    spec = GateSpec
    request = GateRequest
    patch = GatePatch

    def references(self, wanted):
        return References()

    def draft(self, wanted, found):
        return Draft(spec=GateSpec(height=wanted.height))

    def redraft(self, present, change, found):
        return Draft(spec=present)

    def quota_usage(self, spec):
        return {"gates": 1}

    def driver_spec(self, resource):
        return resource.spec


def variant(**members):
    """Return an object of a kind of gates with other members."""
    return type("OtherKind", (GateKind,), members)()


def test_a_kind_shows_its_spec_unless_it_names_what_people_see():
    @dataclass(frozen=True, kw_only=True)
    class View:
        height: int
        is_open: bool = False
        tags: tuple[str, ...] = field(default=())

    spec = GateSpec(height=3, guards=(uuid4(),))
    assert GateKind().shown(spec, {"is_open": True}) == {"height": 3, "guards": spec.guards}

    seen = variant(view=View)
    assert seen.shown(spec, {"is_open": True}) == {"height": 3, "is_open": True, "tags": ()}
    assert seen.shown(spec, {}) == {"height": 3, "is_open": False, "tags": ()}
    assert seen.shown(spec, {"height": 9}) == {"height": 3, "is_open": False, "tags": ()}


def test_requests_are_read_with_the_place_of_what_is_wrong():
    assert GateKind().read_request({"name": "north", "height": 3}) == GateRequest(name="north", height=3)
    with pytest.raises(InvalidSpecError) as caught:
        GateKind().read_request({"name": "north", "height": "3"})
    assert [each.pointer for each in caught.value.violations] == ["/height"]


def test_only_a_kind_that_says_so_is_adopted():
    assert not GateKind().is_adoptable
    assert variant(adopted=lambda _self, _observed, _name, _cluster: None).is_adoptable


def test_a_kind_without_a_driver_has_no_specification_for_one():
    unread: Any = None
    with pytest.raises(TypeError, match="no driver makes a gate"):
        Kind.driver_spec(GateKind(), unread)


@dataclass(frozen=True, kw_only=True)
class OddRequest(ResourceRequest):
    """A request with a member that JSON does not have."""

    shape: complex


@dataclass(frozen=True, kw_only=True)
class TextPatch(ResourcePatch):
    """A change that writes a member otherwise than the create."""

    height: str | None = None


@dataclass(frozen=True, kw_only=True)
class TallPatch(ResourcePatch):
    """A change that takes what the create refuses."""

    height: int | None = field(default=None, metadata={"description": "New height.", "most": 90})


@dataclass(frozen=True, kw_only=True)
class LowRequest(ResourceRequest):
    """A request with a rule of its own."""

    height: int = field(metadata={"most": 9})


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"name": "Gate"}, "lower case letters"),
        ({"name": ""}, "lower case letters"),
        ({"name": 7}, "lower case letters"),
        ({"quota_key": "gates of hell"}, "lower case letters"),
        ({"name": "job"}, "job is a noun of the platform"),
        ({"interface": "Gate-2"}, "'Gate-2' cannot be the name of a driver interface"),
        ({"interface": 3}, "3 cannot be the name of a driver interface"),
        ({"driver_spec": Kind.driver_spec}, "does not implement driver_spec"),
        ({"spec": dict}, "OtherKind.spec must be a dataclass and a subclass of Spec"),
        ({"request": GatePatch}, "OtherKind.request must be a dataclass and a subclass of ResourceRequest"),
        ({"request": OddRequest}, "OddRequest.shape: <class 'complex'> cannot be read from JSON"),
        ({"changes": (SpecChange(verb="delete", members=()),)}, "'delete' cannot name a change"),
        ({"changes": (SpecChange(verb="Open-2", members=()),)}, "'Open-2' cannot name a change"),
        ({"changes": (SpecChange(verb="open", members=("width",)),)}, "the spec has no width for open"),
        ({"changes": (SpecChange(verb="open", members=()),) * 2}, "'open' cannot name a change"),
        ({"patch": TextPatch}, "TextPatch.height has another type than GateRequest.height"),
        ({"patch": TallPatch}, "TallPatch.height: most differs from the create's; leave it out of the change"),
        ({"patch": TallPatch, "request": LowRequest}, "TallPatch.height: most differs from the create's"),
        ({"name": "gate", "quota_key": "other"}, "there is already a kind gate"),
        ({"name": "door", "quota_key": "gates"}, "the quota key gates is in use already"),
        ({"name": "door", "quota_key": "vcpus"}, "the quota key vcpus is in use already"),
    ],
)
def test_a_kind_that_cannot_be_served_says_why(members, reason):
    assert reason in resource_kind_problem(variant(**members), [GateKind()])


def test_what_is_not_a_kind_says_so():
    assert "is not an object of a subclass of stratoplane.kinds.Kind" in resource_kind_problem(GateKind, [])
    missing: Any = type(
        "Nameless", (Kind,), {name: vars(GateKind)[name] for name in ("draft", "redraft", "references")}
    )
    missing.quota_usage = GateKind.quota_usage
    missing.__abstractmethods__ = frozenset()
    assert resource_kind_problem(missing(), []) == (
        "Nameless does not set name, interface, quota_key, spec, request, patch"
    )


def test_a_kind_that_the_platform_alone_knows_needs_no_driver():
    assert resource_kind_problem(variant(interface=None, driver_spec=Kind.driver_spec), []) == ""


class Adding:
    """A plugin that adds what it was made with, or raises it."""

    def __init__(self, *kinds):
        self.kinds = kinds

    @hookimpl
    def stratoplane_kinds(self):
        if isinstance(self.kinds[0], Exception):
            raise self.kinds[0]
        return self.kinds


def load(**plugins: Adding) -> tuple[list[str], Mapping[str, Extension]]:
    manager, _ = load_plugins(())
    known = [Extension(name=name, group="stratoplane.plugins", state=ExtensionState.LOADED) for name in plugins]
    for name, plugin in plugins.items():
        manager.register(plugin, name=name)
    kinds, extensions = load_kinds(manager, known, ())
    assert {each.name for each in extensions if each.state is ExtensionState.LOADED} == {
        name for name, _ in manager.list_name_plugin()
    }
    return [kind.name for added in kinds.values() for kind in added], {each.name: each for each in extensions}


def test_the_plugin_that_is_enabled_first_keeps_a_name():
    kinds, plugins = load(z=Adding(GateKind()), a=Adding(GateKind(), variant(name="door", quota_key="doors")))

    assert kinds == ["gate"]
    assert (plugins["a"].state, plugins["a"].reason) == (ExtensionState.BROKEN, "there is already a kind gate")


def test_a_plugin_that_breaks_while_it_is_asked_is_shown_with_its_reason():
    kinds, plugins = load(a=Adding(RuntimeError("no licence")), b=Adding(GateKind()))

    assert kinds == ["gate"]
    assert (plugins["a"].state, plugins["a"].reason) == (ExtensionState.BROKEN, "RuntimeError: no licence")
