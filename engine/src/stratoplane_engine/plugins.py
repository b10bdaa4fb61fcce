# SPDX-License-Identifier: Apache-2.0
"""The enabled plugins, asked in the two ways there are: those that may refuse, and those that only watch."""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import pluggy

from stratoplane.errors import AdmissionRefusedError, Violation
from stratoplane.hookspecs import AdmissionRequest, CommittedEvent, Notification, PlacementCandidate
from stratoplane.registry import Extension, load_kinds, load_plugins, plugin_tables
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS, Kinds

FOUND_VARIABLE: Final = "STRATOPLANE_PLUGINS_FOUND"
"""Names the folder where each process writes what became of its plugins."""
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plugins:
    """The plugin manager of a process and what became of every plugin.

    Attributes:
        kinds: the built-in kinds of resources and those of the plugins. Whoever makes a process gives them to its
            :class:`~stratoplane_engine.db.connection.Database`.
    """

    manager: pluggy.PluginManager
    extensions: Sequence[Extension] = ()
    kinds: Kinds = BUILTIN_KINDS

    @classmethod
    def load(cls, enabled: Sequence[str] = (), tables: Mapping[str, Mapping[str, object]] | None = None) -> "Plugins":
        """Load the named plugins; a broken one is kept with its reason and the others work."""
        manager, extensions = load_plugins(enabled, plugin_tables() if tables is None else tables)
        added, extensions = load_kinds(manager, extensions, BUILTIN_KINDS.values())
        return cls(manager=manager, extensions=extensions, kinds=BUILTIN_KINDS.with_plugins(added))

    def tell(self, environment: Mapping[str, str] = os.environ) -> None:
        """Leave what became of every plugin for the operator's command, in the folder that the environment names."""
        if not (folder := environment.get(FOUND_VARIABLE)):
            return
        found = [
            {
                "name": each.name,
                "state": each.state,
                "distribution": each.distribution,
                "version": each.version,
                "reason": each.reason,
            }
            for each in self.extensions
        ]
        try:
            path = Path(folder, f"{os.getpid()}.json")
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_text(json.dumps(found), encoding="utf-8")
        except OSError as error:
            _log.warning("what became of the plugins cannot be written (%s)", error)

    def admit(self, request: AdmissionRequest) -> None:
        """Ask every plugin; fail-closed.

        Raises:
            AdmissionRefusedError: with every plugin's violations.
        """
        try:
            answers: list[Sequence[Violation]] = self.manager.hook.stratoplane_admit(request=request)
            violations = [violation for answer in answers for violation in answer]
            reasons = "; ".join(each.detail for each in violations)
        except Exception as error:  # a plugin may raise anything, and what may refuse refuses then
            _log.exception("a plugin broke while it judged a request")
            raise AdmissionRefusedError(f"a policy plugin broke ({type(error).__name__}); tell an operator") from error
        if violations:
            raise AdmissionRefusedError(reasons, violations)

    def place(self, request: AdmissionRequest, candidates: Sequence[PlacementCandidate]) -> UUID | None:
        """Return the cluster that the first plugin with an opinion chose, None when no plugin has one.

        Raises:
            AdmissionRefusedError: a plugin broke or named a cluster that is not a candidate.
        """
        try:
            chosen: UUID | None = self.manager.hook.stratoplane_place(request=request, candidates=candidates)
        except Exception as error:
            _log.exception("a plugin broke while it placed a resource")
            raise AdmissionRefusedError(
                f"a placement plugin broke ({type(error).__name__}); tell an operator"
            ) from error
        if chosen is not None and chosen not in {candidate.cluster_id for candidate in candidates}:
            raise AdmissionRefusedError(
                f"a placement plugin chose {chosen}, which is not a candidate; tell an operator"
            )
        return chosen

    def listeners(self) -> frozenset[str]:
        """Return the names of the plugins that want to hear of incidents."""
        hook = self.manager.hook.stratoplane_notify
        return frozenset(implementation.plugin_name for implementation in hook.get_hookimpls())

    def notify(self, name: str, notification: Notification) -> None:
        """Tell one plugin of an incident; whatever it raises is the caller's to sort."""
        for implementation in self.manager.hook.stratoplane_notify.get_hookimpls():
            if implementation.plugin_name == name:
                implementation.function(notification=notification)

    def committed(self, event: CommittedEvent) -> None:
        """Tell every plugin what is now true; fail-open."""
        for implementation in self.manager.hook.stratoplane_committed.get_hookimpls():
            try:
                implementation.function(event=event)
            except Exception:  # noqa: BLE001  # a watching plugin may raise anything and must not matter
                _log.exception("plugin %s broke while it watched %s", implementation.plugin_name, event.action)
