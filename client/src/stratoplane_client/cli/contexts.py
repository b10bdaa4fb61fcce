# SPDX-License-Identifier: Apache-2.0
"""Contexts: which server, as whom, in which project; kept in one file that only its owner can read."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from stratoplane_client.errors import InvalidSettingError

_DIRECTORY_MODE = 0o700


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """One server and identity; ``project`` is the name and ``project_id`` the id of the default project."""

    url: str
    token: str = field(default="", repr=False)
    username: str = ""
    organization: str = ""
    project: str = ""
    project_id: str = ""
    ca_file: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contexts:
    """Every context by its name, and the one that counts when none is named."""

    current: str = ""
    named: Mapping[str, Context] = field(default_factory=dict)

    def named_or_raise(self, name: str) -> Context:
        """Return the context called ``name``.

        Raises:
            InvalidSettingError: there is none.
        """
        found = self.named.get(name)
        if found is None:
            names = ", ".join(sorted(self.named)) or "none"
            raise InvalidSettingError(f"there is no context named {name!r}; the contexts are: {names}")
        return found

    def with_context(self, name: str, context: Context) -> "Contexts":
        """Return these with ``context`` as ``name``, which is then the current one."""
        return Contexts(current=name, named={**self.named, name: context})

    def with_changed(self, name: str, **members: str) -> "Contexts":
        """Return these with members of the context ``name`` replaced."""
        return replace(self, named={**self.named, name: replace(self.named_or_raise(name), **members)})

    def without(self, name: str) -> "Contexts":
        """Return these without the context ``name``; if it was the current one, none is."""
        left = {each: context for each, context in self.named.items() if each != name}
        return Contexts(current="" if self.current == name else self.current, named=left)


def config_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where contexts are kept."""
    named = environment.get("STRATOPLANE_CONFIG_FILE")
    if named:
        return Path(named).expanduser()
    home = environment.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "stratoplane" / "config.toml"


def load(path: Path) -> Contexts:
    """Return the contexts in the file ``path``; none if there is no file.

    Raises:
        InvalidSettingError: the file cannot be read, or is not what this command writes.
    """
    import tomllib

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Contexts()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSettingError(f"cannot read {path}: {error}") from error
    found = document.get("contexts", {})
    try:
        named = {name: _context(members) for name, members in found.items()}
    except (AttributeError, TypeError) as error:
        raise InvalidSettingError(
            f"{path} contains a context without a URL; delete the file and log in again"
        ) from error
    return Contexts(current=str(document.get("current", "")), named=named)


def save(path: Path, contexts: Contexts) -> None:
    """Write the contexts to ``path``, whole or not at all, for its owner only.

    Raises:
        InvalidSettingError: the file cannot be written.
    """
    import tempfile

    import tomli_w

    document = {
        "current": contexts.current,
        "contexts": {
            name: {key: value for key, value in asdict(context).items() if value}
            for name, context in contexts.named.items()
        },
    }
    try:
        path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        # mkstemp makes the file for its owner only, before a token is in it.
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            tomli_w.dump(document, file)
        Path(beside).replace(path)
    except OSError as error:
        raise InvalidSettingError(f"cannot write {path}: {error}") from error


def _context(members: Mapping[str, Any]) -> Context:
    known = {each.name for each in fields(Context)}
    return Context(**{name: str(value) for name, value in members.items() if name in known})
