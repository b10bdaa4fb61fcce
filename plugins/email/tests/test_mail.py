# SPDX-License-Identifier: Apache-2.0
"""Mails to a real server: what arrives, and what becomes of each of its answers."""

import dataclasses
import email
import email.policy
import socket

import pytest

from stratoplane.errors import PermanentError, TransientError
from stratoplane.registry import ExtensionState, load_plugins
from stratoplane.settings import Secret
from stratoplane_email.mail import MailPlugin, MailSettings, Security

TEAM = ("ops@example.org", "night@example.org")


def plugin(port, **chosen):
    values = {"host": "127.0.0.1", "sender": "cloud@example.com", "recipients": TEAM, "security": Security.NONE}
    return MailPlugin(MailSettings(port=port, **{**values, **chosen}))


def parsed(content):
    return email.message_from_bytes(content, policy=email.policy.default)


def test_every_recipient_gets_the_incident_as_plain_text(serve, notification):
    mailbox = serve()

    plugin(mailbox.port).stratoplane_notify(notification)

    [(sender, recipients, content)] = mailbox.mails
    mail = parsed(content)
    assert (sender, tuple(recipients)) == ("cloud@example.com", TEAM)
    assert mail["Subject"] == "[stratoplane] WARNING opened: cluster rack-1 is silent \N{EM DASH} since 10:00"
    assert mail["Date"].datetime.isoformat() == "2026-11-23T10:00:00+00:00"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "text/plain"
    assert "Cluster:      00000000-0000-0000-0000-000000000009" in mail.get_content()
    assert '"seconds": 180' in mail.get_content()


def test_a_repeat_carries_the_same_message_id(serve, notification):
    mailbox = serve()

    plugin(mailbox.port).stratoplane_notify(notification)
    plugin(mailbox.port).stratoplane_notify(notification)

    ids = {parsed(content)["Message-ID"] for _, _, content in mailbox.mails}
    assert len(mailbox.mails) == 2
    assert ids == {f"<{notification.id}@example.com>"}


def test_a_title_adds_no_headers_and_ends_no_mail(serve, notification):
    mailbox = serve()
    hostile = dataclasses.replace(notification, title="x\r\nBcc: all@example.net\r\n\r\n.\r\nQUIT\u2028y")

    plugin(mailbox.port).stratoplane_notify(hostile)

    [(_, recipients, content)] = mailbox.mails
    mail = parsed(content)
    assert mail["Bcc"] is None
    assert tuple(recipients) == TEAM
    assert mail["Subject"].startswith("[stratoplane] WARNING opened: x  Bcc: all@example.net")
    assert "Incident:" in mail.get_content()


@pytest.mark.parametrize(("code", "error"), [(451, TransientError), (421, TransientError), (554, PermanentError)])
def test_an_answer_of_the_server_tells_whether_it_is_tried_again(serve, notification, code, error):
    mailbox = serve()
    mailbox.data_answer = f"{code} not so"

    with pytest.raises(error, match=f"answered {code}: not so"):
        plugin(mailbox.port).stratoplane_notify(notification)


@pytest.mark.parametrize(
    ("answers", "error", "mails"),
    [
        ({"ops@example.org": "550 unknown"}, PermanentError, 1),
        ({"ops@example.org": "450 greylisted"}, TransientError, 1),
        ({"ops@example.org": "550 unknown", "night@example.org": "550 unknown"}, PermanentError, 0),
        ({"ops@example.org": "550 unknown", "night@example.org": "450 greylisted"}, TransientError, 0),
    ],
)
def test_a_refused_recipient_is_reported_and_the_others_receive_the_mail(serve, notification, answers, error, mails):
    mailbox = serve()
    mailbox.answers = answers

    with pytest.raises(error, match=r"refused recipients: ops@example\.org: "):
        plugin(mailbox.port).stratoplane_notify(notification)

    assert len(mailbox.mails) == mails


def test_an_unreachable_server_is_tried_again(notification):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))

        with pytest.raises(TransientError, match="cannot be reached: ConnectionRefusedError"):
            plugin(unused.getsockname()[1]).stratoplane_notify(notification)


def test_a_server_that_says_nothing_is_tried_again(notification):
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TransientError, match="cannot be reached"):
        plugin(silent.getsockname()[1], timeout_seconds=0.3).stratoplane_notify(notification)


def test_tls_from_the_first_byte(serve, certificate, notification):
    mailbox = serve(ssl_context=certificate)

    plugin(mailbox.port, security=Security.TLS).stratoplane_notify(notification)

    assert len(mailbox.mails) == 1


def test_the_password_is_sent_after_starttls(serve, certificate, notification):
    mailbox = serve(tls_context=certificate)
    account = {"security": Security.STARTTLS, "username": "cloud", "password": Secret("right")}

    plugin(mailbox.port, **account).stratoplane_notify(notification)

    assert mailbox.logins == [(b"cloud", b"right")]
    assert len(mailbox.mails) == 1


def test_a_wrong_password_gives_up_and_is_not_shown(serve, certificate, notification):
    mailbox = serve(tls_context=certificate)
    account = {"security": Security.STARTTLS, "username": "cloud", "password": Secret("wrong-one")}

    with pytest.raises(PermanentError, match="answered 535") as raised:
        plugin(mailbox.port, **account).stratoplane_notify(notification)

    assert "wrong-one" not in str(raised.value)


def test_a_server_without_starttls_gets_nothing(serve, notification):
    mailbox = serve()

    with pytest.raises(PermanentError, match="STARTTLS"):
        plugin(mailbox.port, security=Security.STARTTLS).stratoplane_notify(notification)

    assert mailbox.mails == []


def test_an_unknown_certificate_gets_nothing(serve, certificate, notification, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    mailbox = serve(ssl_context=certificate)

    with pytest.raises(TransientError, match="CERTIFICATE_VERIFY_FAILED"):
        plugin(mailbox.port, security=Security.TLS).stratoplane_notify(notification)

    assert mailbox.mails == []


def loaded(**environment):
    names = {f"STRATOPLANE_EMAIL_{name.upper()}": value for name, value in environment.items()}
    [extension] = [each for each in load_plugins(["email"], environment=names)[1] if each.name == "email"]
    return extension


FIT = {"host": "mail.example.org", "sender": "cloud@example.com", "recipients": ",".join(TEAM)}


def test_it_is_loaded_with_a_host_a_sender_and_recipients():
    assert loaded(**FIT).state is ExtensionState.LOADED


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ({"recipients": ""}, "both are required"),
        ({"recipients": "ops"}, "mail address"),
        ({"sender": "a@b\r\nBcc: c@d"}, "mail address"),
        ({"sender": "Cloud <a@b>"}, "mail address"),
        ({"sender": ""}, "mail address"),
        ({"port": "0"}, "1 to 65535"),
        ({"security": "ssl"}, "must be one of none, starttls, tls"),
        ({"security": "none", "username": "cloud"}, "in the clear"),
        ({"subject_prefix": "a\nb"}, "one line"),
        ({"timeout_seconds": "600"}, "timeout_seconds"),
    ],
)
def test_settings_that_cannot_work_are_shown_with_their_reason(chosen, reason):
    extension = loaded(**{**FIT, **chosen})

    assert extension.state is ExtensionState.BROKEN
    assert reason in extension.reason
