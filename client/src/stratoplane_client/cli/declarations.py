# SPDX-License-Identifier: Apache-2.0
"""Files that declare resources: YAML or JSON, several documents in a file, each with the place where it stands.

YAML is read so that nothing surprises: ``true`` and ``false`` are the only booleans and plain decimal numbers the only
numbers. ``yes``, ``010``, ``0x1F``, ``1:30`` and ``2026-11-28`` are texts. A key that is given twice is refused.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml

_ENDINGS = frozenset({".yaml", ".yml", ".json"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Declaration:
    """One document.

    Attributes:
        kind: as it is written.
        name: of the resource.
        fields: everything else that it says.
        file: that it stands in.
        lines: of the fields, as far as they are known; that of the document itself under the empty name.
    """

    kind: str
    name: str
    fields: Mapping[str, Any]
    file: str
    lines: Mapping[str, int]

    def place(self, field: str = "") -> str:
        """Return file and line of a field, or of the document."""
        return f"{self.file}:{self.lines.get(field, self.lines[''])}"


class _Loader(yaml.SafeLoader):
    """Safe, and with the words of YAML 1.2 only."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012  # the library's name and way

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  # the library's signature
        seen = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is given twice", key.start_mark)
            seen.add(key.value if isinstance(key.value, str) else None)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("int", r"-?(0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(0|[1-9][0-9]*)\.[0-9]+", "-0123456789"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^({_pattern})$"), list(_first))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(null|~|)$"), ["n", "~", ""])


def read_declarations(paths: Sequence[str]) -> list[Declaration]:
    """Return what files declare; ``-`` is standard input, a folder stands for its YAML and JSON files.

    Raises:
        click.ClickException: a file cannot be read, or is not what it should be; its place is named.
    """
    found = [each for path in paths for file, text in _texts(path) for each in _declared(file, text)]
    if not found:
        raise click.UsageError(f"{', '.join(paths)} declares nothing")
    places: dict[tuple[str, str], Declaration] = {}
    for each in found:
        first = places.setdefault((each.kind, each.name), each)
        if first is not each:
            raise click.UsageError(f"{each.place()}: {each.kind} {each.name} is declared at {first.place()} already")
    return found


def _texts(path: str) -> Iterator[tuple[str, str]]:
    if path == "-":
        yield "standard input", _decoded("standard input", sys.stdin.buffer.read())
        return
    try:
        place = Path(path).expanduser()
        files = sorted(each for each in place.iterdir() if each.suffix in _ENDINGS) if place.is_dir() else [place]
        contents = [(str(each), each.read_bytes()) for each in files]
    except OSError as error:
        raise click.FileError(path, error.strerror or str(error)) from error
    for file, content in contents:
        yield file, _decoded(file, content)


def _decoded(file: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.FileError(file, "it is not UTF-8 text") from error


def _declared(file: str, text: str) -> Iterator[Declaration]:
    documents = _json(file, text) if file.endswith(".json") or _looks_like_json(text) else _yaml(file, text)
    for value, lines in documents:
        if not isinstance(value, Mapping):
            raise click.UsageError(f"{file}:{lines['']}: a document is a mapping with kind, name and fields")
        for key in ("kind", "name"):
            if not isinstance(value.get(key), str) or not value[key]:
                raise click.UsageError(f"{file}:{lines.get(key, lines[''])}: {key} is missing or not a text")
        fields = {str(key): each for key, each in value.items() if key not in {"kind", "name"}}
        yield Declaration(kind=value["kind"], name=value["name"], fields=fields, file=file, lines=lines)


_Read = Iterator[tuple[Any, dict[str, int]]]


def _yaml(file: str, text: str) -> _Read:
    try:
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            parts: list[Any] = node.value if isinstance(node, yaml.SequenceNode) else [node]
            for each in parts:
                lines = {"": each.start_mark.line + 1}
                if isinstance(each, yaml.MappingNode):
                    lines |= {str(key.value): key.start_mark.line + 1 for key, _ in each.value}
                value = loader.construct_document(each)
                if value is not None:
                    yield value, lines
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise click.UsageError(f"{file}{line}: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise click.UsageError(f"{file}: it is not YAML: {error}") from error


def _looks_like_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.JSONDecoder().raw_decode(text.lstrip())
    except ValueError:
        return False
    return True


def _json(file: str, text: str) -> _Read:
    decoder = json.JSONDecoder(object_pairs_hook=_unique)
    at = 0
    while (rest := text[at:].lstrip()) != "":
        at = len(text) - len(rest)
        line = text.count("\n", 0, at) + 1
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise click.UsageError(f"{file}:{error.lineno}: it is not JSON: {error.msg}") from error
        except ValueError as error:
            raise click.UsageError(f"{file}:{line}: {error}") from error
        for each in value if isinstance(value, list) else [value]:
            yield each, {"": line}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise ValueError(f"{key!r} is given twice")
        made[key] = value
    return made
