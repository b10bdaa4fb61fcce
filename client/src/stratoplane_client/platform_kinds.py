# SPDX-License-Identifier: Apache-2.0
"""The kinds of resources of a platform, those that plugins add among them, as its own API document describes them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stratoplane_client.decode import Record
from stratoplane_client.errors import UnexpectedAnswerError
from stratoplane_client.paging import LARGEST_PAGE, pages
from stratoplane_client.reading import is_id, segment
from stratoplane_client.transport import Call, Transport

DOCUMENT: Final = "/api/common/v1/openapi.json"
_PROJECT: Final = "/api/tenant/v1/projects/{project_id}"
_OF_PROJECT: Final = re.compile(re.escape(_PROJECT) + r"/([a-z0-9-]+)")
_OF_EVERYBODY: Final = re.compile(r"/api/common/v1/([a-z0-9-]+)s")
_POINTS: Final = re.compile(r"(.+)_ids?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """What a field names.

    Attributes:
        noun: in the API's words, such as ``network`` or ``flavor``.
        path: of the collection, with ``{project_id}`` where it is in a project.
        by_id: whether the API takes ids only; otherwise it takes names, too.
    """

    noun: str
    path: str
    by_id: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class KindField:
    """One field of a kind.

    Attributes:
        name: in requests.
        schema: JSON schema of its value.
        required: whether a create needs it.
        changeable: whether it can be changed after the creation.
        reference: what it names, None for a plain value.
    """

    name: str
    schema: Mapping[str, Any]
    required: bool
    changeable: bool
    reference: Reference | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PlatformKind:
    """One kind of resource.

    Attributes:
        member: its name in the API's answers, such as ``virtual_machine``.
        path: last segment of the collection's path, such as ``virtual-machines``.
        fields: what a create takes, by name.
    """

    member: str
    path: str
    fields: Mapping[str, KindField]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Named(Record):
    id: str = ""
    name: str = ""


def read_kinds(transport: Transport) -> tuple[PlatformKind, ...]:
    """Return every kind of resource that the platform has.

    Raises:
        UnexpectedAnswerError: the server has no such document; it is not a Stratoplane server.
    """
    document = transport.send(Call(method="GET", path=DOCUMENT)).body
    if not isinstance(document, Mapping) or not isinstance(document.get("paths"), Mapping):
        raise UnexpectedAnswerError(f"{DOCUMENT} is not a description of the API; is this a Stratoplane server?")
    return _Reader(document).kinds()


def references(kinds: tuple[PlatformKind, ...], member: str) -> Mapping[str, Reference]:
    """Return what the fields of a kind name, by the fields' names."""
    return {
        field.name: field.reference
        for kind in kinds
        if kind.member == member
        for field in kind.fields.values()
        if field.reference is not None
    }


def id_of(transport: Transport, project_id: str, reference: Reference, wanted: str) -> str | None:
    """Return the id of the object that an id or name stands for, None if there is none of that name."""
    if is_id(wanted):
        return wanted
    path = reference.path.format(project_id=segment(project_id))
    found = pages(transport, path, _Named, {"limit": LARGEST_PAGE})
    # Tenants are told no ids of clusters; a name will do for what has none.
    return next((each.id or each.name for each in found if each.name == wanted), None)


class _Reader:
    """Reads the document; what it does not find is not there, because other servers may describe less."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._paths: Mapping[str, Any] = document["paths"]

    def kinds(self) -> tuple[PlatformKind, ...]:
        found = {}
        for template in self._paths:
            match = _OF_PROJECT.fullmatch(template)
            member = self._member(template) if match else None
            if match and member:
                found[template] = member, match[1]
        nouns = {member: template for template, (member, _) in found.items()}
        for template in self._paths:
            if match := _OF_EVERYBODY.fullmatch(template):
                nouns.setdefault(match[1].replace("-", "_"), template)
        return tuple(
            PlatformKind(member=member, path=path, fields={each.name: each for each in self._fields(template, nouns)})
            for template, (member, path) in found.items()
        )

    def _member(self, template: str) -> str | None:
        """Return the member that holds the resource in the answer to a create, None for a path without resources."""
        answers = self._operation(template, "post").get("responses", {})
        if not self._operation(f"{template}/{{id}}", "patch"):
            return None
        schema = self._content(answers.get("202") or answers.get("201") or {})
        members = [name for name in schema.get("properties", {}) if name != "job"]
        return members[0] if len(members) == 1 and "job" in schema["properties"] else None

    def _fields(self, template: str, nouns: Mapping[str, str]) -> Iterator[KindField]:
        create = self._content(self._operation(template, "post").get("requestBody", {}))
        update = self._content(self._operation(f"{template}/{{id}}", "patch").get("requestBody", {}))
        for name, schema in create.get("properties", {}).items():
            yield KindField(
                name=name,
                schema=self._resolved(schema),
                required=name in create.get("required", ()),
                changeable=name in update.get("properties", {}),
                reference=_reference(name, nouns),
            )

    def _operation(self, template: str, method: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._paths.get(template, {}).get(method, {})
        return found

    def _content(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        for media in self._resolved(part).get("content", {}).values():
            return self._resolved(media.get("schema", {}))
        return {}

    def _resolved(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in found:
            target: Any = self._document
            for part in str(found["$ref"]).removeprefix("#/").split("/"):
                target = target.get(part, {})
            found = target
        return found


def _reference(field: str, nouns: Mapping[str, str]) -> Reference | None:
    """Return what a field names: ``image`` an image; ``boot_volume_id`` a volume, ``machine_ids`` virtual machines."""
    if field in nouns:
        return Reference(noun=field, path=nouns[field], by_id=False)
    match = _POINTS.fullmatch(field)
    if match is None:
        return None
    stem = match[1]
    for noun, path in nouns.items():
        if stem == noun or stem.endswith(f"_{noun}") or noun.endswith(f"_{stem}"):
            return Reference(noun=noun, path=path, by_id=True)
    return None
