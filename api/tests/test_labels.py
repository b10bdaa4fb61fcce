# SPDX-License-Identifier: Apache-2.0
"""Label selectors in a query string."""

import pytest

from stratoplane_api.labels import read_selector
from stratoplane_api.request_errors import InvalidQueryError


def test_conditions_are_equal_or_unequal():
    selector = read_selector("env=prod, tier!=web,example.com/x=")

    assert selector.equal == {"env": "prod", "example.com/x": ""}
    assert selector.unequal == {"tier": "web"}


@pytest.mark.parametrize("text", ["", "  "])
def test_no_text_is_no_condition(text):
    assert read_selector(text).equal == {}


@pytest.mark.parametrize(
    "text", ["env", "=x", "a=b=c", "a!b", "a==b=", "a=b,a=c", ",", "a b=c", ",".join(f"k{n}=v" for n in range(17))]
)
def test_anything_else_is_refused(text):
    with pytest.raises(InvalidQueryError) as caught:
        read_selector(text)

    assert caught.value.violations[0].pointer == "/labels"
