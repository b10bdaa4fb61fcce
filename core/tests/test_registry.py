# SPDX-License-Identifier: Apache-2.0
"""What is not enabled is not imported; what is broken is shown with its reason, and the rest works."""

import sys
import uuid
from collections.abc import Callable

import pytest

from stratoplane.drivers import Interface
from stratoplane.hookspecs import AdmissionRequest, CommittedEvent
from stratoplane.registry import (
    PLUGIN_GROUP,
    ExtensionState,
    driver_group,
    installed,
    load_driver,
    load_plugins,
)

Offer = Callable[..., str]

DRIVER = """
from stratoplane.drivers import Capacity
from stratoplane.storage import StorageDriver

class Driver(StorageDriver):
    contract = (1, 0)

    def prepare(self): ...
    def capacity(self): return Capacity()
    def observe(self, uid): ...
    def create(self, spec): ...
    def update(self, spec): ...
    def delete(self, uid): ...
    def list(self): return ()
"""

PLUGIN = """
from stratoplane.errors import Violation
from stratoplane.hookspecs import hookimpl

heard = []

@hookimpl
def stratoplane_admit(request):
    return [Violation(pointer="/name", detail=__name__)]

@hookimpl
def stratoplane_place(request, candidates):
    return candidates[0] if candidates else None

@hookimpl
def stratoplane_committed(event):
    heard.append(event.action)
"""

CONFIGURED = """
import dataclasses
from stratoplane.errors import Violation
from stratoplane.hookspecs import hookimpl
from stratoplane.settings import setting

@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    word: str = setting(dataclasses.MISSING, help="what to say", env="TEST_WORD")

class Plugin:
    Settings = Settings

    def __init__(self, settings):
        self.word = settings.word

    @hookimpl
    def stratoplane_admit(self, request):
        return [Violation(pointer="", detail=self.word)]
"""


def admission(name: str = "web") -> AdmissionRequest:
    return AdmissionRequest(
        action="create",
        kind="network",
        name=name,
        actor="user:alice",
        organization_id=uuid.uuid4(),
        project_id=uuid.uuid4(),
    )


def extension_of(extensions, name):
    [found] = [each for each in extensions if each.name == name]
    return found


class TestDrivers:
    group = driver_group(Interface.STORAGE)

    def test_a_whole_driver_is_loaded(self, offer: Offer):
        offer(self.group, "box", DRIVER, attribute="Driver", distribution="acme-box")

        extension = load_driver(Interface.STORAGE, "box")

        assert extension.state is ExtensionState.LOADED
        assert extension.loaded.__name__ == "Driver"
        assert (extension.distribution, extension.version) == ("acme-box", "1.2")

    def test_looking_at_what_is_installed_imports_nothing(self, offer: Offer):
        module = offer(self.group, "box", "raise RuntimeError('imported')", attribute="Driver")

        assert "box" in [extension.name for extension in installed(self.group)]
        assert module not in sys.modules

    def test_loading_one_does_not_import_the_others(self, offer: Offer):
        offer(self.group, "box", DRIVER, attribute="Driver")
        other = offer(self.group, "other", DRIVER, attribute="Driver")

        assert load_driver(Interface.STORAGE, "box").state is ExtensionState.LOADED
        assert other not in sys.modules

    def test_a_driver_that_is_not_installed_is_missing(self, offer: Offer):
        extension = load_driver(Interface.STORAGE, "absent")

        assert extension.state is ExtensionState.MISSING
        assert extension.reason == "no installed distribution offers it"

    @pytest.mark.parametrize(
        ("source", "reason"),
        [
            ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
            ("def broken(:", "SyntaxError"),
            ("raise RuntimeError('out of order')", "RuntimeError: out of order"),
            ("raise AssertionError('impossible')", "AssertionError: impossible"),
            ("raise SystemExit(3)", "SystemExit: 3"),
            ("", "has no attribute 'Driver'"),
            ("Driver = 7", "7 is not a subclass of stratoplane.storage.StorageDriver"),
            ("class Driver: ...", "is not a subclass of stratoplane.storage.StorageDriver"),
            (DRIVER.replace("def delete", "def remove").replace("def list", "def all"), "not implement delete, list"),
            (DRIVER.replace("(1, 0)", "(2, 0)"), "written for contract 2.x; this platform supports 1.1"),
        ],
    )
    def test_a_broken_driver_is_shown_with_its_reason(self, offer: Offer, source: str, reason: str):
        offer(self.group, "box", source, attribute="Driver")

        extension = load_driver(Interface.STORAGE, "box")

        assert extension.state is ExtensionState.BROKEN
        assert reason in extension.reason
        assert extension.loaded is None

    def test_a_plugin_name_offered_by_two_distributions_is_broken(self, offer: Offer):
        offer(self.group, "box", DRIVER, attribute="Driver", distribution="acme-box")
        offer(self.group, "box", DRIVER, attribute="Driver", distribution="other-box")

        extension = load_driver(Interface.STORAGE, "box")

        assert extension.state is ExtensionState.BROKEN
        assert "acme-box, other-box" in extension.reason or "other-box, acme-box" in extension.reason

    def test_what_was_installed_too_late_asks_for_a_restart(self, offer: Offer):
        offer(self.group, "first", DRIVER, attribute="Driver")
        load_driver(Interface.STORAGE, "first")
        offer(self.group, "late", DRIVER, attribute="Driver")

        extension = load_driver(Interface.STORAGE, "late")

        assert (extension.state, "restart" in extension.reason) == (ExtensionState.BROKEN, True)


class TestPlugins:
    def test_enabled_plugins_are_asked(self, offer: Offer):
        module = offer(PLUGIN_GROUP, "polite", PLUGIN)

        manager, extensions = load_plugins(["polite"])

        assert extension_of(extensions, "polite").state is ExtensionState.LOADED
        answers = manager.hook.stratoplane_admit(request=admission())
        assert [violation.detail for answer in answers for violation in answer] == [module]

    def test_what_is_not_enabled_is_listed_and_not_imported(self, offer: Offer):
        module = offer(PLUGIN_GROUP, "shy", "raise RuntimeError('imported')")

        manager, extensions = load_plugins([])

        assert extension_of(extensions, "shy").state is ExtensionState.DISABLED
        assert module not in sys.modules
        assert manager.hook.stratoplane_admit(request=admission()) == []

    def test_a_broken_plugin_is_listed_and_the_others_work(self, offer: Offer):
        offer(PLUGIN_GROUP, "broken", "import no_such_library")
        offer(PLUGIN_GROUP, "polite", PLUGIN)

        manager, extensions = load_plugins(["broken", "absent", "polite"])

        assert extension_of(extensions, "broken").state is ExtensionState.BROKEN
        assert "no_such_library" in extension_of(extensions, "broken").reason
        assert extension_of(extensions, "absent").state is ExtensionState.MISSING
        assert len(manager.hook.stratoplane_admit(request=admission())) == 1

    def test_a_hook_that_does_not_exist_is_refused(self, offer: Offer):
        offer(PLUGIN_GROUP, "misspelt", PLUGIN.replace("stratoplane_admit", "stratoplane_admitt"))

        manager, extensions = load_plugins(["misspelt"])

        assert extension_of(extensions, "misspelt").state is ExtensionState.BROKEN
        assert "unknown hook stratoplane_admitt" in extension_of(extensions, "misspelt").reason
        assert not manager.has_plugin("misspelt")

    def test_a_hook_with_an_argument_that_does_not_exist_is_refused(self, offer: Offer):
        offer(PLUGIN_GROUP, "curious", PLUGIN.replace("admit(request)", "admit(request, password)"))

        manager, extensions = load_plugins(["curious"])

        assert extension_of(extensions, "curious").state is ExtensionState.BROKEN
        assert "password" in extension_of(extensions, "curious").reason
        assert not manager.has_plugin("curious")

    def test_the_first_that_places_decides(self, offer: Offer):
        offer(PLUGIN_GROUP, "undecided", PLUGIN.replace("candidates[0] if candidates else None", "None"))
        offer(PLUGIN_GROUP, "decided", PLUGIN)

        manager, _ = load_plugins(["undecided", "decided"])

        assert manager.hook.stratoplane_place(request=admission(), candidates=["rack-1"]) == "rack-1"
        assert manager.hook.stratoplane_place(request=admission(), candidates=[]) is None

    def test_all_hear_what_was_committed(self, offer: Offer):
        modules = [offer(PLUGIN_GROUP, name, PLUGIN) for name in ("one", "two")]
        manager, _ = load_plugins(["one", "two"])
        uid = uuid.uuid4()
        event = CommittedEvent(action="created", kind="network", resource_id=uid, organization_id=uid, project_id=uid)

        manager.hook.stratoplane_committed(event=event)

        assert [sys.modules[module].heard for module in modules] == [["created"], ["created"]]

    def test_a_class_is_made_with_its_settings(self, offer: Offer):
        offer(PLUGIN_GROUP, "talker", CONFIGURED, attribute="Plugin")

        manager, _ = load_plugins(["talker"], {"talker": {"word": "file"}}, {})
        [[violation]] = manager.hook.stratoplane_admit(request=admission())
        assert violation.detail == "file"

        manager, _ = load_plugins(["talker"], {"talker": {"word": "file"}}, {"TEST_WORD": "environment"})
        [[violation]] = manager.hook.stratoplane_admit(request=admission())
        assert violation.detail == "environment"

    def test_settings_that_cannot_be_used_break_it_with_the_reason(self, offer: Offer):
        offer(PLUGIN_GROUP, "talker", CONFIGURED, attribute="Plugin")

        manager, extensions = load_plugins(["talker"], {"talker": {"wort": "x"}}, {})

        extension = extension_of(extensions, "talker")
        assert extension.state is ExtensionState.BROKEN
        assert "[plugins.talker] word: required; what to say" in extension.reason
        assert "[plugins.talker] wort: unknown setting" in extension.reason
        assert not manager.has_plugin("talker")

    def test_a_constructor_that_raises_breaks_it_with_the_reason(self, offer: Offer):
        source = "class Plugin:\n    def __init__(self, settings):\n        raise OSError('no room')"
        offer(PLUGIN_GROUP, "talker", source, attribute="Plugin")

        extension = extension_of(load_plugins(["talker"])[1], "talker")

        assert (extension.state, extension.reason) == (ExtensionState.BROKEN, "OSError: no room")
