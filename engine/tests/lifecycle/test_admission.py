# SPDX-License-Identifier: Apache-2.0
"""Policy plugins: what they refuse or break on is not accepted; what they only watch goes on without them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from stevedore.extension import ExtensionManager

from stratoplane.errors import AdmissionRefusedError, Violation
from stratoplane.hookspecs import AdmissionRequest, CommittedEvent, hookimpl
from stratoplane.registry import ExtensionState
from stratoplane_engine.plugins import Plugins

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


class Strict:
    """Refuses names that do not begin with the project's word, in its own two violations."""

    def __init__(self) -> None:
        self.asked: list[AdmissionRequest] = []

    @hookimpl
    def stratoplane_admit(self, request: AdmissionRequest) -> list[Violation]:
        self.asked.append(request)
        if request.name.startswith("web-"):
            return []
        return [Violation(pointer="/name", detail="names begin with web-"), Violation(pointer="/labels", detail="no")]


class Broken:
    @hookimpl
    def stratoplane_admit(self, request: AdmissionRequest) -> list[Violation]:
        raise RuntimeError("oops")


class Mumbling:
    @hookimpl
    def stratoplane_admit(self, request: AdmissionRequest) -> Any:
        return ["not a violation"]


class BrokenWatcher:
    @hookimpl
    def stratoplane_committed(self, event: CommittedEvent) -> None:
        raise RuntimeError("oops")


class Watcher:
    def __init__(self) -> None:
        self.seen: list[CommittedEvent] = []

    @hookimpl
    def stratoplane_committed(self, event: CommittedEvent) -> None:
        self.seen.append(event)


def test_a_plugin_refuses_with_all_its_reasons_and_nothing_is_kept(tenant: "TenantWorld") -> None:
    tenant.plugins.manager.register(Strict())
    before = tenant.everything()

    with pytest.raises(AdmissionRefusedError) as caught:
        tenant.create("volume", name="db-1", size_gib=1)

    assert caught.value.detail == "names begin with web-; no"
    assert [violation.pointer for violation in caught.value.violations] == ["/name", "/labels"]
    assert tenant.everything() == before
    tenant.check_accounts()


def test_a_plugin_is_asked_about_creates_changes_and_deletions(tenant: "TenantWorld") -> None:
    strict = Strict()
    tenant.plugins.manager.register(strict)
    volume = tenant.made("volume", name="web-1", size_gib=1, labels={"env": "prod"})
    tenant.update(volume, name="web-2")
    tenant.settle()
    tenant.delete(volume)

    told = [(each.action, each.kind, each.name, each.spec["size_gib"], each.labels) for each in strict.asked]
    labels = {"env": "prod"}
    assert told == [
        ("create", "volume", "web-1", 1, labels),
        ("update", "volume", "web-2", 1, labels),
        ("delete", "volume", "web-2", 1, labels),
    ]
    assert {each.actor for each in strict.asked} == {"user:alice"}


def test_a_refused_change_changes_nothing(tenant: "TenantWorld") -> None:
    tenant.plugins.manager.register(Strict())
    volume = tenant.made("volume", name="web-1", size_gib=1)
    before = tenant.get(volume)

    with pytest.raises(AdmissionRefusedError):
        tenant.update(volume, name="db-1", size_gib=2)

    assert tenant.get(volume) == before


@pytest.mark.parametrize("plugin", [Broken(), Mumbling()])
def test_a_plugin_that_breaks_refuses(tenant: "TenantWorld", plugin: object) -> None:
    tenant.plugins.manager.register(plugin)
    before = tenant.everything()

    with pytest.raises(AdmissionRefusedError, match=r"a policy plugin broke .*; tell an operator"):
        tenant.create("volume", size_gib=1)

    assert tenant.everything() == before


@pytest.mark.parametrize("chosen", [uuid4(), "nonsense", RuntimeError("oops")])
def test_a_plugin_that_places_badly_refuses(tenant: "TenantWorld", chosen: object) -> None:
    class Placer:
        @hookimpl
        def stratoplane_place(self, request: AdmissionRequest) -> object:
            if isinstance(chosen, Exception):
                raise chosen
            return chosen

    tenant.plugins.manager.register(Placer())

    with pytest.raises(AdmissionRefusedError, match=r"a placement plugin .*; tell an operator"):
        tenant.create("volume", size_gib=1)


def test_a_watcher_learns_what_became_of_jobs_and_a_broken_one_changes_nothing(tenant: "TenantWorld") -> None:
    watcher = Watcher()
    tenant.plugins.manager.register(watcher)
    tenant.plugins.manager.register(BrokenWatcher())

    volume = tenant.made("volume", size_gib=1)

    (event,) = watcher.seen
    assert (event.action, event.kind, event.resource_id) == (
        "volume.create.succeeded", "volume", volume.resource.id
    )  # fmt: skip
    assert volume.job is not None
    assert event.detail == {"status": "ACTIVE", "job_id": str(volume.job.id)}


@pytest.fixture
def installed_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three installed plugins: one that works, one that cannot be imported, one that implements an unknown hook."""
    name = f"sample{uuid4().hex}"
    information = tmp_path / f"{name}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    points = [f"{plugin} = {name}_{plugin}" for plugin in ("refusing", "absent", "misspelt")]
    (information / "entry_points.txt").write_text("[stratoplane.plugins]\n" + "\n".join(points) + "\n")
    (tmp_path / f"{name}_refusing.py").write_text(
        "from stratoplane.errors import Violation\nfrom stratoplane.hookspecs import hookimpl\n"
        "@hookimpl\ndef stratoplane_admit(request):\n    return [Violation(pointer='/name', detail='never')]\n"
    )
    (tmp_path / f"{name}_absent.py").write_text("import does_not_exist_anywhere\n")
    (tmp_path / f"{name}_misspelt.py").write_text(
        "from stratoplane.hookspecs import hookimpl\n@hookimpl\ndef stratoplane_addmit(request):\n    return []\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    # A process looks for entry points once, and other tests of this one may have made it look.
    monkeypatch.setattr(ExtensionManager, "ENTRY_POINT_CACHE", {})


@pytest.mark.usefixtures("installed_plugins")
def test_enabled_plugins_are_loaded_and_broken_ones_are_shown_with_their_reason(tenant: "TenantWorld") -> None:
    tenant.plugins = Plugins.load(("refusing", "absent", "misspelt", "missing"))

    states = {each.name: (each.state, each.reason) for each in tenant.plugins.extensions}
    assert states["refusing"] == (ExtensionState.LOADED, "")
    assert states["absent"] == (
        ExtensionState.BROKEN, "ModuleNotFoundError: No module named 'does_not_exist_anywhere'"
    )  # fmt: skip
    assert states["misspelt"][0] is ExtensionState.BROKEN
    assert states["misspelt"][1].startswith("unknown hook stratoplane_addmit; known are stratoplane_admit, ")
    assert states["missing"] == (ExtensionState.MISSING, "no installed distribution offers it")
    with pytest.raises(AdmissionRefusedError, match="never"):
        tenant.create("volume", size_gib=1)


@pytest.mark.usefixtures("installed_plugins")
def test_what_is_not_enabled_is_not_asked(tenant: "TenantWorld") -> None:
    tenant.plugins = Plugins.load()

    assert {"refusing", "absent", "misspelt"} <= {
        each.name for each in tenant.plugins.extensions if each.state is ExtensionState.DISABLED
    }
    tenant.create("volume", size_gib=1)
