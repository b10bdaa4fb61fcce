# SPDX-License-Identifier: Apache-2.0
"""The naming policy, loaded as the platform loads it."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from stratoplane.errors import Violation
from stratoplane.hookspecs import AdmissionRequest
from stratoplane.registry import Extension, ExtensionState, load_plugins


@pytest.fixture
def judge() -> Callable[..., Sequence[Violation]]:
    """Return a function that asks the policy about a name, with settings from the environment."""

    def ask(name: str, *, environment: dict[str, str] | None = None, **chosen: Any) -> Sequence[Violation]:
        manager, _ = load_plugins(["naming"], environment=environment or {})
        request: dict[str, Any] = {
            "action": "create",
            "kind": "network",
            "organization_id": uuid.uuid4(),
            "project_id": uuid.uuid4(),
            "actor": "user:alice",
        }
        answers = manager.hook.stratoplane_admit(request=AdmissionRequest(name=name, **{**request, **chosen}))
        return [violation for answer in answers for violation in answer]

    return ask


def found(environment: dict[str, str]) -> Extension:
    [extension] = [each for each in load_plugins(["naming"], environment=environment)[1] if each.name == "naming"]
    return extension


def test_a_name_that_begins_with_a_letter_is_admitted(judge):
    assert judge("web-1") == []


def test_another_name_is_refused_with_its_place_and_the_rule(judge):
    assert judge("1-web") == [
        Violation(pointer="/name", detail="'1-web' violates the naming policy: names must match [a-z].*")
    ]


@pytest.mark.parametrize(("name", "refused"), [("prod-web", False), ("web-prod-", True), ("xprod-web", True)])
def test_the_operators_pattern_must_match_the_whole_name(judge, name, refused):
    environment = {"STRATOPLANE_NAMING_PATTERN": "prod-[a-z]+", "STRATOPLANE_NAMING_REASON": "say where it runs"}

    violations = judge(name, environment=environment)

    assert bool(violations) is refused
    assert all("say where it runs" in violation.detail for violation in violations)


def test_other_kinds_are_left_alone(judge):
    environment = {"STRATOPLANE_NAMING_KINDS": "virtual_machine, volume"}

    assert judge("1", environment=environment) == []
    assert len(judge("1", environment=environment, kind="volume")) == 1


def test_what_has_its_name_already_can_be_changed_and_deleted(judge):
    assert judge("1-web", action="update", previous_name="1-web") == []
    assert judge("1-web", action="delete", previous_name="1-web") == []


def test_a_new_name_is_judged_on_an_update_too(judge):
    assert len(judge("2-web", action="update", previous_name="web")) == 1


def test_a_pattern_that_cannot_work_is_shown_with_its_reason():
    extension = found({"STRATOPLANE_NAMING_PATTERN": "[a-"})

    assert extension.state is ExtensionState.BROKEN
    assert "[plugins.naming]" in extension.reason
    assert "'[a-' is not a valid regular expression" in extension.reason


def test_it_is_loaded_without_any_setting():
    assert found({}).state is ExtensionState.LOADED
