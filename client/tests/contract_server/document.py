# SPDX-License-Identifier: Apache-2.0
"""The API's document: which operation a request asks for, what it takes, and which answers it may give."""

import functools
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from openapi_schema_validator import OAS31Validator, oas31_format_checker

Json = dict[str, Any]
PATH: Final = Path(__file__).resolve().parents[3] / "docs" / "reference" / "openapi.json"
_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete"})
# Headers of HTTP itself, which a document of an API leaves out.
_HTTP: Final = frozenset({"content-type", "content-length"})
_NO_ID: Final = uuid.UUID(int=0)


def now() -> str:
    """Return the current time as the API writes it."""
    return later(0)


def later(seconds: float) -> str:
    """Return a time in so many seconds as the API writes it."""
    when = datetime.now(UTC) + timedelta(seconds=seconds)
    return when.isoformat(timespec="microseconds").replace("+00:00", "Z")


def new_id() -> str:
    """Return a new id."""
    return str(uuid.uuid4())


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One operation of the document; ``query`` names its parameters, ``body`` is the schema of its request."""

    operation_id: str
    method: str
    template: str
    public: bool
    query: frozenset[str]
    headers: frozenset[str]
    body: Json | None
    responses: Mapping[str, Json]

    def ids_in(self, path: str) -> tuple[str, ...] | None:
        """Return the ids in ``path`` in their order, None if the path is not one of this operation."""
        pattern = re.sub(r"\{[a-z_]+\}", "([^/]+)", re.escape(self.template).replace(r"\{", "{").replace(r"\}", "}"))
        found = re.fullmatch(pattern, path)
        return None if found is None else found.groups()

    @property
    def collection(self) -> str:
        """The collection that the operation works on, as ``networks``."""
        plain = [part for part in self.template.split("/") if part and not part.startswith("{")]
        return plain[-2] if plain[-1] in {"reboots", "console-logs"} else plain[-1]


class Document:
    """An OpenAPI document, read once."""

    def __init__(self, path: Path = PATH) -> None:
        self._document: Json = json.loads(path.read_text(encoding="utf-8"))
        self._validators: dict[int, Any] = {}
        self.operations: Final = {each.operation_id: each for each in self._read()}

    @property
    def whole(self) -> Json:
        """The document itself."""
        return self._document

    def operation(self, method: str, path: str) -> tuple[Operation, tuple[str, ...]] | None:
        """Return the operation that a request asks for and the ids in its path."""
        for each in self.operations.values():
            if each.method == method and (ids := each.ids_in(path)) is not None:
                return each, ids
        return None

    def violations(self, schema: Json, value: object) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with ``value``: where, as a JSON pointer, and what."""
        for error in self._validator(schema).iter_errors(value):
            pointer = "/" + "/".join(map(str, error.absolute_path))
            yield pointer if pointer != "/" else "", error.message

    def differences(self, operation: Operation, status: int, headers: Mapping[str, str], body: object) -> list[str]:
        """Return in which points an answer is not what the document says of the operation."""
        name = f"{operation.operation_id} {status}"
        response = operation.responses.get(str(status))
        if response is None:
            return [f"{name}: the document knows no such status"]
        response = self.resolved(response)
        known = {header.lower() for header in response.get("headers", {})} | _HTTP
        found = [f"{name}: unknown header {header}" for header in headers if header.lower() not in known]
        content = list(response.get("content", {}).values())
        if not content:
            return found if body is None else [*found, f"{name}: the answer has no body"]
        wrong = self._validator(content[0]["schema"]).iter_errors(body)
        return [*found, *(f"{name} {each.json_path}: {each.message}" for each in wrong)]

    def blank(self, schema: str | Json, **members: object) -> Json:
        """Return the smallest object that fits the schema, or the named one, with ``members`` put in."""
        found = self._blank({"$ref": f"#/components/schemas/{schema}"} if isinstance(schema, str) else schema)
        assert isinstance(found, dict)
        return {**found, **members}

    def fitted(self, operation: Operation, value: Json) -> Json:
        """Return the members of ``value`` that an item of the operation's list has."""
        items = self.resolved(self.answer_schema(operation, 200))["properties"]["items"]["items"]
        return {name: value[name] for name in self.resolved(items)["properties"] if name in value}

    def answer_schema(self, operation: Operation, status: int) -> Json:
        """Return the schema of the operation's answer with this status."""
        content: Json = self.resolved(operation.responses[str(status)])["content"]
        schema: Json = next(iter(content.values()))["schema"]
        return schema

    def resolved(self, found: Json) -> Json:
        """Return what ``found`` refers to, or ``found`` itself."""
        while "$ref" in found:
            target: Json = self._document
            for part in found["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            found = target
        return found

    def _validator(self, schema: Json) -> Any:
        # By identity: every schema is a part of the document, which lives as long as this object.
        if id(schema) not in self._validators:
            whole = {**schema, "components": self._document["components"]}
            self._validators[id(schema)] = OAS31Validator(whole, format_checker=oas31_format_checker)
        return self._validators[id(schema)]

    def _read(self) -> Iterator[Operation]:
        for template, item in self._document["paths"].items():
            for method in item.keys() & _METHODS:
                told = item[method]
                parameters = [self.resolved(each) for each in told.get("parameters", [])]
                content = told.get("requestBody", {}).get("content", {})
                yield Operation(
                    operation_id=told["operationId"],
                    method=method.upper(),
                    template=template,
                    public=told["security"] == [],
                    query=frozenset(each["name"] for each in parameters if each["in"] == "query"),
                    headers=frozenset(each["name"].lower() for each in parameters if each["in"] == "header"),
                    body=next(iter(content.values()))["schema"] if content else None,
                    responses=told["responses"],
                )

    def _blank(self, schema: Json) -> object:
        schema = self.resolved(schema)
        if "anyOf" in schema:
            return None if {"type": "null"} in schema["anyOf"] else self._blank(schema["anyOf"][0])
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type", "null")
        if kind == "object":
            return {name: self._blank(schema["properties"][name]) for name in schema.get("required", ())}
        if schema.get("format") == "date-time" and kind == "string":
            return now()
        if schema.get("format") == "uuid" and kind == "string":
            return str(_NO_ID)
        return {"array": [], "integer": 0, "boolean": False, "string": ""}.get(kind if isinstance(kind, str) else "")


@functools.cache
def document() -> Document:
    """Return the committed document of the API."""
    return Document()
