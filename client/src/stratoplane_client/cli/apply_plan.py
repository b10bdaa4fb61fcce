# SPDX-License-Identifier: Apache-2.0
"""What it takes to make a project what files declare: create, change, retry, nothing, delete, or what is refused."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from stratoplane_client.cli import tables
from stratoplane_client.cli.any_object import every_kind
from stratoplane_client.cli.declarations import Declaration
from stratoplane_client.cli.kinds import named
from stratoplane_client.cli.session import Session
from stratoplane_client.comparison import compare
from stratoplane_client.errors import ApiError, InvalidRequestError, NotFoundError
from stratoplane_client.models.resources import FieldDifference, Resource
from stratoplane_client.platform_kinds import KindField, PlatformKind, Reference
from stratoplane_client.reading import is_id

Key = tuple[str, str]
"""A kind's name in the API, and the name of a resource."""
_TYPES: Mapping[str, tuple[type, str]] = {
    "string": (str, "a text; write it in quotes"),
    "integer": (int, "a whole number"),
    "number": (float, "a number"),
    "boolean": (bool, "true or false"),
    "array": (list, "a list"),
    "object": (dict, "a mapping"),
}
_STATES = {
    "DELETING": "it is being deleted; apply again when it is gone",
    "LOST": "its provider does not show it any more; ask an operator, or delete it and apply again",
}


class Action(StrEnum):
    """What is done about one resource."""

    CREATE = "create"
    CHANGE = "change"
    RETRY = "retry"
    UNCHANGED = "unchanged"
    DELETE = "delete"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One resource, and what is done about it.

    Attributes:
        noun: of the command.
        place: file and line, empty for what no file declares.
        wanted: the fields that are declared.
        changes: those that differ.
        needs: the resources of the files that must exist first.
        unseen: the fields that the server does not show, so that nobody can tell whether they differ.
        reason: why it is refused.
    """

    action: Action
    kind: PlatformKind
    noun: str
    name: str
    place: str = ""
    wanted: Mapping[str, Any] = field(default_factory=dict)
    existing: Resource | None = None
    changes: tuple[FieldDifference, ...] = ()
    needs: frozenset[Key] = frozenset()
    unseen: tuple[str, ...] = ()
    reason: str = ""

    @property
    def key(self) -> Key:
        """What names it."""
        return self.kind.member, self.name

    @property
    def what(self) -> str:
        """What it is, for people."""
        return f"{self.noun} {self.name}"


class Project:
    """The resources of a project as they are now; each kind is listed once, when it is asked for."""

    def __init__(self, session: Session) -> None:
        """Remember where to look."""
        self.session = session
        self._found: dict[str, dict[str, Resource]] = {}
        self._ids: dict[tuple[str, str], str | None] = {}

    @cached_property
    def kinds(self) -> Mapping[str, PlatformKind]:
        """The platform's kinds by their names in the API."""
        return {each.member: each for each in self.session.client.kinds()}

    @cached_property
    def nouns(self) -> Mapping[str, str]:
        """The commands' nouns of the kinds, by the kinds' names."""
        known = {each.member: each.noun for each in reversed(every_kind())}
        return {member: known.get(member, member.replace("_", "-")) for member in self.kinds}

    def calls(self, kind: PlatformKind) -> Any:
        """Return the calls for a kind."""
        return self.session.client.resources(self.session.project_id, kind.path, Resource, member=kind.member)

    def resources(self, member: str) -> Mapping[str, Resource]:
        """Return the resources of a kind by name."""
        if member not in self._found:
            self._found[member] = {each.name: each for each in self.calls(self.kinds[member]).list()}
        return self._found[member]

    def add(self, kind: PlatformKind, resource: Resource) -> None:
        """Remember a resource that exists from now on."""
        self._found.setdefault(kind.member, {})[resource.name] = resource

    def id_of(self, reference: Reference, text: str) -> str | None:
        """Return the id of what a text names, None for nothing that exists."""
        if reference.noun in self.kinds:
            found = self.resources(reference.noun).get(text)
            return text if is_id(text) else found.id if found else None
        at = reference.noun, text
        if at not in self._ids:
            self._ids[at] = self.session.client.id_of(self.session.project_id, reference, text)
        return self._ids[at]

    def names(self) -> Mapping[str, str]:
        """Return the names of what was listed, by id."""
        return {each.id: each.name for found in self._found.values() for each in found.values()}


def plan(project: Project, declarations: Sequence[Declaration], prune: str | None) -> list[Step]:
    """Return what there is to do: for each declaration in their order, then what is deleted.

    Args:
        project: as it is.
        declarations: of the files.
        prune: label selector of what is deleted when no file declares it, None to delete nothing.
    """
    steps = [_known(project, each) for each in declarations]
    declared = {each.key for each in steps if each.action is not Action.REFUSED or each.place}
    planned = [_planned(project, step, each, declared) for step, each in zip(steps, declarations, strict=True)]
    return [*planned, *(_pruned(project, prune, declared) if prune else ())]


def levels(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """Yield creates and changes so that what others need comes before them."""
    left = [each for each in steps if each.action in {Action.CREATE, Action.CHANGE, Action.RETRY}]
    while left:
        open_keys = {each.key for each in left}
        ready = [each for each in left if not each.needs & (open_keys - {each.key})] or left
        yield ready
        left = [each for each in left if each not in ready]


def deletions(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """Yield deletions so that users go before what they use."""
    left = [each for each in steps if each.action is Action.DELETE]
    while left:
        ids = {each.existing.id for each in left if each.existing}
        ready = [each for each in left if each.existing and not set(each.existing.used_by) & ids] or left
        yield ready
        left = [each for each in left if each not in ready]


def change_text(change: FieldDifference, names: Mapping[str, str]) -> str:
    """Return old and new value of a field."""
    old, new = (named(tables.value(each), names) for each in (change.observed, change.desired))
    return f"{change.field}: {old or '-'} -> {new or '-'}"


def _known(project: Project, declared: Declaration) -> Step:
    """Return the declaration with its kind; unknown kinds and fields, and values of a wrong type, are refused."""
    members = {**{noun: member for member, noun in project.nouns.items()}, **{each: each for each in project.kinds}}
    member = members.get(declared.kind)
    if member is None:
        unknown = PlatformKind(member=declared.kind, path="", fields={})
        reason = f"there is no kind {declared.kind!r}{_near(declared.kind, sorted(project.nouns.values()))}"
        return _refused(declared, unknown, declared.kind, reason, "kind")
    kind, noun = project.kinds[member], project.nouns[member]
    fields = {name: each for name, each in kind.fields.items() if name != "name"}
    for name, value in declared.fields.items():
        wrong = f"{noun} has no field {name!r}{_near(name, sorted(fields))}" if name not in fields else ""
        wrong = wrong or _wrong_type(name, value, fields[name].schema)
        if wrong:
            return _refused(declared, kind, noun, wrong, name)
    missing = [each.name for each in fields.values() if each.required and each.name not in declared.fields]
    if missing:
        return _refused(declared, kind, noun, f"{', '.join(missing)} is required", "")
    return Step(
        action=Action.UNCHANGED,
        kind=kind,
        noun=noun,
        name=declared.name,
        place=declared.place(),
        wanted=dict(declared.fields),
    )


def _refused(declared: Declaration, kind: PlatformKind, noun: str, reason: str, at: str) -> Step:
    place = declared.place(at)
    return Step(action=Action.REFUSED, kind=kind, noun=noun, name=declared.name, place=place, reason=reason)


def _near(wrong: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(wrong, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"


def _wrong_type(name: str, value: object, schema: Mapping[str, Any]) -> str:
    if value is None:
        return f"{name} has no value; give one or leave the line out"
    kind, words = _TYPES.get(str(schema.get("type")), (object, ""))
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool and kind is not object):
        return f"{name} is {tables.value(value)!r}, which is not {words}"
    if isinstance(value, dict):
        inner = ((f"{name}.{key}", each, schema.get("additionalProperties")) for key, each in value.items())
    elif isinstance(value, list):
        inner = ((f"{name}[{at}]", each, schema.get("items")) for at, each in enumerate(value))
    else:
        return ""
    return next(
        filter(None, (_wrong_type(at, each, part) for at, each, part in inner if isinstance(part, Mapping))), ""
    )


def _planned(project: Project, step: Step, declared: Declaration, keys: set[Key]) -> Step:
    if step.action is Action.REFUSED:
        return step
    needs: set[Key] = set()
    for name, value in step.wanted.items():
        reference = step.kind.fields[name].reference
        if reference is None or reference.noun not in project.kinds:
            continue
        for text in value if isinstance(value, list) else [value]:
            if (reference.noun, text) in keys:
                needs.add((reference.noun, text))
            elif not is_id(text) and text not in project.resources(reference.noun):
                noun = project.nouns[reference.noun]
                reason = f"{name}: there is no {noun} {text!r}, neither in the project nor in the files"
                return _refused(declared, step.kind, step.noun, reason, name)
    existing = project.resources(step.kind.member).get(step.name)
    found = replace(step, needs=frozenset(needs), existing=existing)
    chosen = replace(found, action=Action.CREATE) if existing is None else _compared(project, found, existing, declared)
    return _checked(project, chosen, declared)


def _compared(project: Project, step: Step, existing: Resource, declared: Declaration) -> Step:
    fields = step.kind.fields

    def id_of(name: str, text: str) -> str | None:
        reference = fields[name].reference
        return None if reference is None else project.id_of(reference, text)

    outcome = compare(resolved(project, step), existing.raw, id_of)
    changes = outcome.differences
    fixed = [each for each in changes if not fields[each.field].changeable]
    if existing.status in _STATES:
        return _refused(declared, step.kind, step.noun, _STATES[existing.status], "")
    if fixed or (changes and existing.status == "FAILED"):
        said = "; ".join(change_text(each, project.names()) for each in fixed or changes)
        why = "cannot be changed after the creation" if fixed else "cannot be changed, because its creation failed"
        reason = f"{said}: this {why}; delete {step.what} and apply again, or choose another name"
        return _refused(declared, step.kind, step.noun, reason, (fixed or changes)[0].field)
    action = Action.CHANGE if changes else Action.RETRY if existing.status == "FAILED" else Action.UNCHANGED
    return replace(step, action=action, changes=changes, unseen=outcome.uncompared)


def _checked(project: Project, step: Step, declared: Declaration) -> Step:
    """Let the server check what needs nothing that is yet to be made, and refuse in the plan what it finds wrong."""
    if any(name not in project.resources(member) for member, name in step.needs):
        return step
    calls = project.calls(step.kind).plan
    try:
        if step.action is Action.CREATE:
            calls.create(name=step.name, **resolved(project, step))
        if step.action is Action.CHANGE and step.existing is not None:
            calls.update(step.existing.id, **changed(project, step))
    except InvalidRequestError as error:
        at = next((each.pointer.split("/")[1] for each in error.errors if each.pointer), "")
        return _refused(declared, step.kind, step.noun, str(error), at)
    except NotFoundError as error:
        return _refused(declared, step.kind, step.noun, str(error), "")
    except ApiError:
        # A quota or a state may be another one by then; the change itself tells.
        return step
    return step


def resolved(project: Project, step: Step) -> dict[str, Any]:
    """Return the declared fields with ids where the API takes ids only; what does not exist yet keeps its name."""
    return {name: _resolved(project, step.kind.fields[name], value) for name, value in step.wanted.items()}


def changed(project: Project, step: Step) -> dict[str, Any]:
    """Return the fields to change."""
    return {each.field: resolved(project, step)[each.field] for each in step.changes}


def _resolved(project: Project, kind_field: KindField, value: Any) -> Any:
    reference = kind_field.reference
    if reference is None or not reference.by_id:
        return value
    if isinstance(value, list):
        return [project.id_of(reference, each) or each for each in value]
    return project.id_of(reference, value) or value


def _pruned(project: Project, selector: str, declared: set[Key]) -> Iterator[Step]:
    for member, kind in project.kinds.items():
        for each in project.calls(kind).list(labels=selector):
            if (member, each.name) not in declared and each.status != "DELETING":
                noun = project.nouns[member]
                yield Step(action=Action.DELETE, kind=kind, noun=noun, name=each.name, existing=each)
