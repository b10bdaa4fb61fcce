# SPDX-License-Identifier: Apache-2.0
"""Every class of error has its own row, code and words."""

import pytest

from stratoplane import errors as core
from stratoplane_api import errors, request_errors
from stratoplane_engine.access import context as _context  # noqa: F401  # loads the engine's own errors, if it has any


def descendants(kind):
    for child in kind.__subclasses__():
        yield child
        yield from descendants(child)


REACHING = {"stratoplane", "stratoplane_engine", "stratoplane_api"}
SHIPPED = [
    core.StratoplaneError,
    # Commands, drivers and agents have errors of their own that never reach the gateway.
    *(kind for kind in descendants(core.StratoplaneError) if kind.__module__.split(".")[0] in REACHING),
]


@pytest.mark.parametrize("kind", SHIPPED, ids=lambda kind: kind.__name__)
def test_every_class_has_a_row_of_its_own(kind):
    assert kind in errors.TABLE


def test_the_table_names_no_class_twice_by_code():
    codes = [kind.code for kind in SHIPPED]

    assert sorted(codes) == sorted(set(codes))


def test_statuses_are_those_of_errors():
    assert all(400 <= row.status < 600 for row in errors.TABLE.values())


def test_a_class_of_a_plugin_is_served_by_its_ancestor():
    class PluginError(request_errors.MalformedRequestError):
        code = "plugin_only"

    assert errors.row_of(PluginError("x")) == errors.TABLE[request_errors.MalformedRequestError]
