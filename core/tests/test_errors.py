# SPDX-License-Identifier: Apache-2.0
"""Errors carry a stable code, a text for people and typed facts, and know nothing of HTTP."""

import inspect
import json
from collections.abc import Iterator

import pytest

from stratoplane import errors
from stratoplane.errors import (
    BusyError,
    CapacityError,
    ConflictError,
    DriverError,
    FeatureUnsupportedError,
    InUseError,
    InvalidSpecError,
    MisconfiguredError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    ProviderRateLimitedError,
    QuotaExceededError,
    RateLimitedError,
    SettingsError,
    StratoplaneError,
    TransientError,
    UnavailableError,
    UncertainError,
    UnreachableError,
    UnsupportedError,
    Violation,
)


def every_class(kind: type[StratoplaneError] = StratoplaneError) -> Iterator[type[StratoplaneError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from every_class(child)


def test_every_class_has_a_code_of_its_own():
    codes = [kind.code for kind in every_class()]

    assert len(codes) > 25
    assert sorted(codes) == sorted(set(codes))
    assert all(code.replace("_", "").isalpha() and code == code.lower() for code in codes)


def test_every_class_says_what_it_means():
    assert [kind for kind in every_class() if not inspect.getdoc(kind)] == []


def test_every_driver_error_tells_the_engine_exactly_one_thing_to_do():
    answers = (TransientError, UncertainError, PermanentError)
    leaves = [kind for kind in every_class(DriverError) if kind is not DriverError]

    assert {kind: sum(issubclass(kind, answer) for answer in answers) for kind in leaves} == dict.fromkeys(leaves, 1)


@pytest.mark.parametrize("kind", [BusyError, UnreachableError, ProviderRateLimitedError])
def test_an_error_without_effect_may_name_a_retry_time(kind):
    error = kind("later", provider_text="429", retry_after=3.5)

    assert isinstance(error, TransientError)
    assert (error.detail, error.provider_text, error.retry_after) == ("later", "429", 3.5)


@pytest.mark.parametrize("kind", [NotFoundError, ConflictError, UnsupportedError, CapacityError, MisconfiguredError])
def test_errors_that_a_retry_cannot_fix_are_permanent(kind):
    assert isinstance(kind("no"), PermanentError)
    assert str(kind("no")) == "no"


@pytest.mark.parametrize(
    ("error", "payload"),
    [
        (StratoplaneError("broken"), {}),
        (
            InvalidSpecError("wrong", [Violation(pointer="/name", detail="too long")]),
            {"errors": [{"pointer": "/name", "detail": "too long"}], "errors_total": 1},
        ),
        (PermissionDeniedError("no", permission="network:create"), {"permission": "network:create"}),
        (PermissionDeniedError("no"), {}),
        (InUseError("busy", used_by=["web", "db"]), {"used_by": ["web", "db"]}),
        (
            QuotaExceededError("full", key="vcpus", scope="project", limit=8, used=7, wanted=2),
            {"key": "vcpus", "scope": "project", "limit": 8, "used": 7, "wanted": 2},
        ),
        (FeatureUnsupportedError("no", feature="resize", cluster="rack-1"), {"feature": "resize", "cluster": "rack-1"}),
        (SettingsError("wrong", ["a: b"]), {"problems": ["a: b"]}),
    ],
)
def test_facts_are_json_values(error, payload):
    assert json.loads(json.dumps(error.payload())) == payload


@pytest.mark.parametrize("kind", [RateLimitedError, UnavailableError])
def test_a_refusal_that_passes_says_when_to_come_back(kind):
    assert kind("later", retry_after=4.5).retry_after == 4.5


def test_no_error_knows_http():
    source = inspect.getsource(errors)

    assert "status" not in {name for kind in every_class() for name in vars(kind)}
    assert "http" not in source.replace("No error knows HTTP", "").lower()
