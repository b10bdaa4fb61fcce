# SPDX-License-Identifier: Apache-2.0
"""What of a resource is compared with what its cluster shows: the kinds say it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from stratoplane.compared_fields import ComparedField, Comparison
from stratoplane.kinds import AnyKind, ResourcePatch, Spec
from stratoplane.wire import to_json
from stratoplane_engine.kinds.catalogue import Kinds, read_spec
from stratoplane_engine.model.drift import ComparedKind, FieldDifference
from stratoplane_engine.model.resource import Desired, Resource


def compared_kinds(kinds: Kinds) -> tuple[ComparedKind, ...]:
    """Return every kind that a driver makes and of which fields are compared."""
    return tuple(
        ComparedKind(name=kind.name, interface=kind.interface, fields=kind.compared)
        for kind in kinds.values()
        if kind.interface is not None and kind.compared
    )


def compared_field(kinds: Kinds, kind: str, name: str) -> ComparedField | None:
    """Return the compared field ``name`` of a kind, None when it is not compared."""
    fields = kinds[kind].compared if kind in kinds else ()
    return next((field for field in fields if field.name == name), None)


def differences(kind: AnyKind, resource: Resource[Spec]) -> tuple[FieldDifference, ...]:
    """Return the compared fields of a resource that were last observed otherwise than they are desired."""
    return tuple(_differing(kind.compared, resource))


def unlike_asked(kind: AnyKind, resource: Resource[Spec], patch: ResourcePatch) -> tuple[FieldDifference, ...]:
    """Return those differences of a resource that a change asks about: it is to be made as it is desired."""
    asked = [field for field in kind.compared if getattr(patch, field.asked_by or field.name, None) is not None]
    return tuple(_differing(asked, resource))


def as_observed(kind: AnyKind, desired: Desired, found: Iterable[FieldDifference]) -> Desired:
    """Return a desired state with those fields as they were found; what cannot be desired stays as it is."""
    name, spec = desired.name, desired.spec
    for each in found:
        field = next((field for field in kind.compared if field.name == each.field), None)
        if field is None or field.comparison is Comparison.ALWAYS_TRUE:
            continue
        if field.comparison is Comparison.NAME:
            name = str(each.observed)
        else:
            spec = _with_member(kind, spec, field, each.observed)
    return Desired(name=name, spec=spec)


def _with_member(kind: AnyKind, spec: Spec, field: ComparedField, observed: object) -> Spec:
    document = to_json(spec)
    member = field.name
    if field.comparison is Comparison.ATTACHED_VOLUMES and isinstance(observed, list):
        member, observed = "volume_ids", [each for each in observed if each != document["boot_volume_id"]]
    try:
        return read_spec(kind, {**document, member: observed}) if member in document else spec
    except msgspec.ValidationError:
        return spec


def _differing(fields: Iterable[ComparedField], resource: Resource[Spec]) -> Iterator[FieldDifference]:
    spec = to_json(resource.spec)
    for field in fields:
        desired, observed = _desired(field, resource.name, spec), _observed(field, resource.observed)
        if observed is not None and desired != observed:
            yield FieldDifference(field=field.name, desired=desired, observed=observed)


def _desired(field: ComparedField, name: str, spec: Mapping[str, Any]) -> object:
    if field.comparison is Comparison.NAME:
        return name
    if field.comparison is Comparison.ALWAYS_TRUE:
        return True
    if field.comparison is Comparison.ATTACHED_VOLUMES:
        boot = spec["boot_volume_id"]
        return sorted([*spec["volume_ids"], *([boot] if boot else [])])
    return spec.get(field.name)


def _observed(field: ComparedField, observed: Mapping[str, object]) -> object:
    if field.comparison is Comparison.ATTACHED_VOLUMES:
        attached = observed.get("volume_uids")
        return sorted(attached) if isinstance(attached, list) else None
    return observed.get(field.name)
