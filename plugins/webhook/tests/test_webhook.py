# SPDX-License-Identifier: Apache-2.0
"""Deliveries to a real server: what it gets, and what becomes of each of its answers."""

import base64
import hashlib
import hmac
import json
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook

from stratoplane.errors import PermanentError, TransientError
from stratoplane.registry import ExtensionState, load_plugins
from stratoplane.settings import Secret

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OTHER_KEY = bytes(range(32, 64))


def signature(key, received):
    """Sign as the specification says, without the library that the plugin uses."""
    head = f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}."
    return "v1," + base64.b64encode(hmac.new(key, head.encode() + received.body, hashlib.sha256).digest()).decode()


def test_the_receiver_gets_the_incident_as_json(receiver, plugin, notification):
    plugin(f"{receiver.url}/hooks/1?team=a").stratoplane_notify(notification)

    [received] = receiver.received
    assert received.path == "/hooks/1?team=a"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["host"] == f"127.0.0.1:{receiver.port}"
    sent = json.loads(received.body)
    assert (sent["type"], sent["timestamp"]) == ("incident.opened", "2026-11-23T10:00:00Z")
    assert sent["data"] == {
        "incident_id": "00000000-0000-0000-0000-000000000008",
        "kind": "agent-lost",
        "severity": "WARNING",
        "status": "OPEN",
        "title": "cluster rack-1 is silent \N{EM DASH} since 10:00",
        "escalation": 0,
        "assignee": "",
        "organization_id": None,
        "cluster_id": "00000000-0000-0000-0000-000000000009",
        "resource_id": None,
        "detail": {"seconds": 180},
    }


def test_the_request_is_signed_as_the_specification_says(receiver, plugin, notification):
    plugin(receiver.url).stratoplane_notify(notification)

    [received] = receiver.received
    assert received.headers["webhook-id"] == str(notification.id)
    assert abs(int(received.headers["webhook-timestamp"]) - time.time()) < 60
    assert received.headers["webhook-signature"] == signature(KEY, received)


def test_the_signer_agrees_with_a_published_signature():
    signer = Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    made = signer.sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, tz=UTC), '{"test": 2432232314}'
    )

    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_while_the_secret_is_changed_both_sign(receiver, plugin, notification):
    both = Secret(f"{SECRET} whsec_{base64.b64encode(OTHER_KEY).decode()}")

    plugin(receiver.url, secret=both).stratoplane_notify(notification)

    [received] = receiver.received
    assert received.headers["webhook-signature"].split() == [signature(KEY, received), signature(OTHER_KEY, received)]


def test_the_same_notification_keeps_its_id(receiver, plugin, notification):
    teller = plugin(receiver.url)

    teller.stratoplane_notify(notification)
    teller.stratoplane_notify(notification)

    assert [each.headers["webhook-id"] for each in receiver.received] == [str(notification.id)] * 2


@pytest.mark.parametrize("status", [200, 202, 204])
def test_an_answer_of_success_is_a_delivery(receiver, plugin, notification, status):
    receiver.status = status

    plugin(receiver.url).stratoplane_notify(notification)

    assert len(receiver.received) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_an_answer_of_overload_is_tried_again_when_the_receiver_says(receiver, plugin, notification, status):
    receiver.status, receiver.headers = status, {"Retry-After": "17"}

    with pytest.raises(TransientError, match=f"answered {status}") as raised:
        plugin(receiver.url).stratoplane_notify(notification)

    assert raised.value.retry_after == 17


@pytest.mark.parametrize(("hours", "least", "most"), [(2, 7000, 7200), (-2, 0, 0), (1000, 86_400, 86_400)])
def test_a_retry_after_date_is_capped_at_a_day(receiver, plugin, notification, hours, least, most):
    moment = format_datetime(datetime.now(tz=UTC) + timedelta(hours=hours), usegmt=True)
    receiver.status, receiver.headers = 503, {"Retry-After": moment}

    with pytest.raises(TransientError) as raised:
        plugin(receiver.url).stratoplane_notify(notification)

    assert least <= raised.value.retry_after <= most


def test_a_retry_after_in_seconds_is_capped_at_a_day(receiver, plugin, notification):
    receiver.status, receiver.headers = 503, {"Retry-After": "999999999"}

    with pytest.raises(TransientError) as raised:
        plugin(receiver.url).stratoplane_notify(notification)

    assert raised.value.retry_after == 86_400


@pytest.mark.parametrize("text", ["soon", "-5", "1e9", ""])
def test_an_invalid_retry_after_is_ignored(receiver, plugin, notification, text):
    receiver.status, receiver.headers = 503, {"Retry-After": text}

    with pytest.raises(TransientError) as raised:
        plugin(receiver.url).stratoplane_notify(notification)

    assert raised.value.retry_after is None


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410, 501])
def test_any_other_answer_gives_up(receiver, plugin, notification, status):
    receiver.status, receiver.body = status, b"no such\nhook"

    with pytest.raises(PermanentError, match=f"answered {status}: no such hook"):
        plugin(receiver.url).stratoplane_notify(notification)


def test_an_unreachable_server_is_tried_again(plugin, notification):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/token"

        with pytest.raises(TransientError, match="cannot be reached: ConnectError") as raised:
            plugin(url).stratoplane_notify(notification)

    assert "token" not in str(raised.value)


def test_a_name_without_an_address_is_tried_again(plugin, notification):
    def nothing(host, port):
        raise socket.gaierror("no such name")

    with pytest.raises(TransientError, match=r"hooks\.example cannot be resolved"):
        plugin("http://hooks.example", resolver=nothing).stratoplane_notify(notification)


def test_a_trickle_of_bytes_does_not_extend_the_timeout(receiver, plugin, notification):
    receiver.pause_seconds = 0.05  # for ever: without a timeout of the whole the delivery would never end

    with pytest.raises(TransientError, match="ReadTimeout"):
        plugin(receiver.url, timeout_seconds=3.0).stratoplane_notify(notification)


def test_a_slow_refusal_is_still_permanent(receiver, plugin, notification):
    receiver.status, receiver.body, receiver.endless, receiver.pause_seconds = 400, b"wait", b".", 0.05

    with pytest.raises(PermanentError, match=r"answered 400: wait\.*$"):
        plugin(receiver.url, timeout_seconds=3.0).stratoplane_notify(notification)


@pytest.mark.parametrize("status", [200, 400])
def test_an_endless_answer_is_abandoned(receiver, plugin, notification, status):
    receiver.status, receiver.endless = status, b"x" * 65_536

    failure = ""
    try:
        plugin(receiver.url).stratoplane_notify(notification)
    except PermanentError as refused:
        failure = str(refused)

    assert failure.count("x") == (500 if status == 400 else 0)


def test_one_url_that_fails_does_not_keep_it_from_the_others(receiver, plugin, notification):
    def nothing(host, port):
        raise socket.gaierror("no such name")

    def found(host, port):
        return nothing(host, port) if host == "gone.example" else [host]

    with pytest.raises(TransientError, match=r"gone\.example"):
        plugin("http://gone.example", receiver.url, resolver=found).stratoplane_notify(notification)

    assert len(receiver.received) == 1


def loaded(**environment):
    names = {f"STRATOPLANE_WEBHOOK_{name.upper()}": value for name, value in environment.items()}
    [extension] = [each for each in load_plugins(["webhook"], environment=names)[1] if each.name == "webhook"]
    return extension


def test_it_is_loaded_with_urls_and_a_secret():
    assert loaded(urls="https://a.example/x, https://b.example:8443", secret=SECRET).state is ExtensionState.LOADED


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ({"urls": ""}, "at least one"),
        ({"urls": "http://a.example"}, "must begin with https"),
        ({"urls": "ftp://a.example", "allow_http": "yes"}, "must begin with https"),
        ({"urls": "https://user:word@a.example"}, "user name or password"),
        ({"urls": "https://good.example\\@bad.example"}, "backslash"),
        ({"urls": "https://a.example/\tx"}, "visible ASCII"),
        ({"urls": "https://b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example"}, "punycode"),
        ({"urls": "https:///x"}, "has no host"),
        ({"urls": "https://a.example:99999"}, "Port out of range"),
        ({"secret": "whsec_c2hvcnQ="}, "24 to 64 bytes"),
        ({"secret": SECRET.removeprefix("whsec_")}, "24 to 64 bytes"),
        ({"timeout_seconds": "0"}, "timeout_seconds"),
        ({"urls": "https://a.example,https://b.example", "timeout_seconds": "51"}, "100 seconds at most"),
        ({"allowed_networks": "10.0.0.0/33"}, "allowed_networks"),
    ],
)
def test_settings_that_cannot_work_are_shown_with_their_reason(chosen, reason):
    extension = loaded(**{"urls": "https://a.example", "secret": SECRET, **chosen})

    assert extension.state is ExtensionState.BROKEN
    assert reason in extension.reason
    assert "word" not in extension.reason.replace("password", "")
    assert "c2hvcnQ" not in extension.reason
