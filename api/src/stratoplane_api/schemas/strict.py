# SPDX-License-Identifier: Apache-2.0
"""The two sorts of schema: requests, which refuse whatever they do not know, and answers, which only document."""

import copy
import difflib
import functools
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from marshmallow import RAISE, Schema, ValidationError, fields, missing

SERVER_OWNED: Final = frozenset(
    {
        "id", "status", "version", "generation", "observed_generation", "created_at", "updated_at", "deleted_at",
        "created_by", "project_id", "organization_id", "cluster_id", "provider_reference", "addresses", "gateway",
        "vcpus", "memory_mib", "disk_gib", "used_by", "fingerprint", "job", "quota", "used", "owner", "tenant_id",
        "state", "uid", "epoch",
    }
)  # fmt: skip
"""Members that appear in answers and that no caller may set, unless a request's schema names them."""

_NEAR: Final = 0.75
_UNKNOWN: Final = ["Unknown field."]
_HINTS: Final = 20
"""How many unknown members are compared with the known ones; the answer lists no more."""


class Request(Schema):
    """A request's content: every member must be known.

    Attributes:
        member_noun: what one of its members is called, in messages.
        owned: members that no caller may set.
    """

    member_noun: ClassVar[str] = "member"
    owned: ClassVar[frozenset[str]] = SERVER_OWNED

    class Meta:
        unknown = RAISE

    def handle_error(self, error: ValidationError, data: Any, *, many: bool, **kwargs: Any) -> None:
        """Replace "unknown field" by words that tell the caller what to do."""
        messages = error.messages
        if isinstance(messages, dict):
            unknown = [name for name, found in messages.items() if found == _UNKNOWN]
            for name in unknown[:_HINTS]:
                messages[name] = [self._hint(str(name))]

    def _hint(self, name: str) -> str:
        if name in self.owned:
            return "is set by the server; leave it out"
        known = sorted(field.data_key or member for member, field in self.fields.items())
        near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
        if near:
            return f"is not known here; did you mean {near[0]!r}?"
        return f"is not known here; known are {', '.join(known) or f'no {self.member_noun}s'}"


class Answer(Schema):
    """An answer's content. Services make it in its final form; the schema documents it, and tests hold both equal."""

    class Meta:
        unknown = RAISE


def changed(create: type[Request], member: str, description: str = "") -> fields.Field[Any]:
    """Return a member of a change as the create has it, so that both refuse the same; it may be left out.

    Args:
        create: the create's schema.
        member: its name.
        description: what it means in a change, where that is something else.
    """
    field = copy.deepcopy(create._declared_fields[member])  # noqa: SLF001  # marshmallow shows them on objects only
    vars(field).update(required=False, load_default=missing)
    if description:
        field.metadata = {**field.metadata, "description": description}
    return field


def request(name: str, members: Mapping[str, fields.Field[Any]]) -> type[Request]:
    """Return a request schema called ``name`` with ``members``."""
    return type(name, (Request,), dict(members))


@functools.cache
def list_of(item: type[Answer]) -> type[Answer]:
    """Return the schema of one page of ``item``."""
    return derive(
        f"{item.__name__}List",
        {
            "items": fields.List(fields.Nested(item), required=True),
            "next": fields.String(
                required=True, allow_none=True, metadata={"description": "Cursor of the next page, null on the last."}
            ),
        },
    )


def derive(name: str, members: Mapping[str, fields.Field[Any]]) -> type[Answer]:
    """Return an answer schema called ``name`` with ``members``."""
    return type(name, (Answer,), dict(members))
