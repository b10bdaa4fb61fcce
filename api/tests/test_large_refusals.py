# SPDX-License-Identifier: Apache-2.0
"""What is refused costs little and is answered briefly, however large it is."""

import time

import orjson
import pytest

from api.tests.conftest import COMMON
from stratoplane_api.json_body import MOST_VALUES

# A refusal may take as long as so many refusals of a small body: it may not grow with what was sent.
MOST_TIMES_SMALL = 60
LARGEST_ANSWER = 64 * 1024


def unknown_members(count):
    return {f"unknown_{number}": number for number in range(count)}


def deep_in_labels(count):
    return {"name": "x", "labels": {f"key {number}": number for number in range(count)}}


LARGE = {
    "members": unknown_members(9_000),
    "members below the bound": unknown_members(MOST_VALUES - 10),
    "labels": deep_in_labels(MOST_VALUES - 10),
    "items": {"name": "x", "network_ids": [[] for _ in range(60_000)]},
    "a long name": {"n" * 200_000: 1},
    "a long pointer": {"/" * 200_000: 1},
    "a long value": {"name": "n" * 200_000},
    "a long flavor": {"name": "x", "flavor": "~" * 200_000, "image": "linux", "network_ids": []},
}


@pytest.mark.parametrize("body", LARGE.values(), ids=LARGE.keys())
def test_a_large_body_is_refused_briefly(tenant, body):
    small, large = orjson.dumps({"unknown": 1}), orjson.dumps(body)

    def cost(content):
        begun = time.thread_time()
        answer = tenant("POST", "/virtual-machines", data=content, content_type="application/json")
        return time.thread_time() - begun, answer

    usual = min(cost(small)[0] for _ in range(5))
    took, answer = min((cost(large) for _ in range(3)), key=lambda each: each[0])

    assert answer.status_code in {400, 422}
    assert len(answer.data) < LARGEST_ANSWER
    assert took < MOST_TIMES_SMALL * usual


def test_twenty_problems_are_listed_and_all_are_counted(tenant):
    answer = tenant("POST", "/virtual-machines", unknown_members(100)).json

    assert len(answer["errors"]) == 20
    assert answer["errors_total"] >= 100


def test_a_log_in_that_nobody_is_known_by_is_refused_as_briefly(tenant):
    answer = tenant.admin.client.post(f"{COMMON}/login", json=unknown_members(9_000))

    assert answer.status_code == 400
    assert answer.json["code"] == "json_too_many_values"
    assert len(answer.data) < LARGEST_ANSWER
