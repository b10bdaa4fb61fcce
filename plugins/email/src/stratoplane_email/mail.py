# SPDX-License-Identifier: Apache-2.0
"""Sends a notification as a plain text mail through the operator's mail server."""

import enum
import json
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from typing import ClassVar, Final

from stratoplane.errors import PermanentError, TransientError
from stratoplane.hookspecs import Notification, hookimpl
from stratoplane.settings import Secret, setting

_PORTS: Final = range(1, 65_536)
_LONGEST_TIMEOUT: Final = 60.0
_LONGEST_SUBJECT: Final = 200
_PERMANENT: Final = range(500, 600)


class Security(enum.Enum):
    """How the connection to the mail server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, kw_only=True)
class MailSettings:
    """Settings of the email plugin."""

    host: str = setting(MISSING, help="name or address of the mail server", env="STRATOPLANE_EMAIL_HOST")
    port: int = setting(587, help="port of the mail server", env="STRATOPLANE_EMAIL_PORT")
    security: Security = setting(  # noqa: RUF009  # makes a dataclass field
        Security.STARTTLS,
        help="starttls, tls (from the first byte, usually port 465) or none",
        env="STRATOPLANE_EMAIL_SECURITY",
    )
    username: str = setting(
        "", help="account at the mail server; no login when empty", env="STRATOPLANE_EMAIL_USERNAME"
    )
    password: Secret = setting(  # noqa: RUF009  # makes a dataclass field
        Secret(""), help="password of the account", env="STRATOPLANE_EMAIL_PASSWORD", secret=True
    )
    sender: str = setting(MISSING, help="sender address of the mails", env="STRATOPLANE_EMAIL_SENDER")
    recipients: tuple[str, ...] = setting(
        MISSING, help="recipients of the mails, separated by commas", env="STRATOPLANE_EMAIL_RECIPIENTS"
    )
    subject_prefix: str = setting("[stratoplane]", help="prefix of subjects", env="STRATOPLANE_EMAIL_SUBJECT_PREFIX")
    timeout_seconds: float = setting(
        20.0, help="seconds that the server may take for each answer", env="STRATOPLANE_EMAIL_TIMEOUT_SECONDS"
    )

    def __post_init__(self) -> None:
        if not self.host or not self.recipients:
            raise ValueError("host, recipients: both are required")
        for address in (self.sender, *self.recipients):
            _check_address(address)
        if self.port not in _PORTS:
            raise ValueError("port: must be 1 to 65535")
        if self.username and self.security is Security.NONE:
            raise ValueError("security: none would send the password in the clear; use starttls or tls")
        if not self.subject_prefix.isprintable():
            raise ValueError("subject_prefix: must be one line of text")
        if not 0 < self.timeout_seconds <= _LONGEST_TIMEOUT:
            raise ValueError("timeout_seconds: must be more than 0 and at most 60")


def _check_address(text: str) -> None:
    try:
        address = Address(addr_spec=text)
    except (ValueError, MessageError, IndexError) as error:
        raise ValueError(f"sender, recipients: {text!r} is not a valid mail address") from error
    if not address.username or not address.domain or not text.isascii():
        raise ValueError(f"sender, recipients: {text!r} must be a mail address of ASCII characters")


class MailPlugin:
    """Mails notifications of incidents to the operator's recipients."""

    Settings: ClassVar = MailSettings

    def __init__(self, settings: MailSettings) -> None:
        self._settings: Final = settings
        # The system's certificates, or those that SSL_CERT_FILE names.
        self._tls: Final = ssl.create_default_context()

    @hookimpl
    def stratoplane_notify(self, notification: Notification) -> None:
        """Send the mail through the server.

        Raises:
            TransientError: no connection, or an answer 4xx, for one recipient at least.
            PermanentError: an answer 5xx, or the server does not support what the settings require.
        """
        mail = message(notification, self._settings)
        place = f"{self._settings.host}:{self._settings.port}"
        try:
            self._send(mail)
        except smtplib.SMTPRecipientsRefused as error:
            raise _refused(place, error.recipients) from error
        except smtplib.SMTPResponseException as error:
            raise _answered(place, error.smtp_code, error.smtp_error) from error
        except smtplib.SMTPNotSupportedError as error:
            raise PermanentError(f"{place} does not support what the settings require: {error}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise TransientError(f"{place} cannot be reached: {type(error).__name__}: {error}") from error

    def _send(self, mail: EmailMessage) -> None:
        with self._connected() as server:
            if self._settings.security is Security.STARTTLS:
                server.starttls(context=self._tls)
            if self._settings.username:
                server.login(self._settings.username, str(self._settings.password))
            refused = server.send_message(mail, self._settings.sender, self._settings.recipients)
        if refused:
            raise smtplib.SMTPRecipientsRefused(refused)

    def _connected(self) -> smtplib.SMTP:
        host, port, seconds = self._settings.host, self._settings.port, self._settings.timeout_seconds
        if self._settings.security is Security.TLS:
            return smtplib.SMTP_SSL(host, port, timeout=seconds, context=self._tls)
        return smtplib.SMTP(host, port, timeout=seconds)


def _refused(place: str, recipients: Mapping[str, tuple[int, bytes]]) -> TransientError | PermanentError:
    """Return the error for refused recipients: transient if any of them may be accepted later."""
    text = "; ".join(f"{name}: {code} {_text(answer)}" for name, (code, answer) in recipients.items())
    permanent = all(code in _PERMANENT for code, _ in recipients.values())
    return (PermanentError if permanent else TransientError)(f"{place} refused recipients: {text}")


def _answered(place: str, code: int, answer: bytes | str) -> TransientError | PermanentError:
    return (PermanentError if code in _PERMANENT else TransientError)(f"{place} answered {code}: {_text(answer)}")


def _text(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer


def message(notification: Notification, settings: MailSettings) -> EmailMessage:
    """Return the mail: its Message-ID comes from the notification, so that a repeated delivery is recognised."""
    domain = settings.sender.rpartition("@")[2]
    mail = EmailMessage()
    mail["From"] = settings.sender
    mail["To"] = ", ".join(settings.recipients)
    mail["Subject"] = _subject(notification, settings.subject_prefix)
    mail["Date"] = datetime.fromisoformat(notification.occurred_at)
    mail["Message-ID"] = f"<{notification.id}@{domain}>"
    # No mail has the thread's id; it groups the mails of one incident.
    mail["References"] = f"<incident-{notification.incident_id}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(_body(notification))
    return mail


def _subject(notification: Notification, prefix: str) -> str:
    text = f"{prefix} {notification.severity} {notification.event}: {notification.title}"
    # EmailMessage refuses line breaks in headers; a title with one must not prevent the notification.
    return "".join(sign if sign.isprintable() else " " for sign in text).strip()[:_LONGEST_SUBJECT]


def _body(notification: Notification) -> str:
    facts = {
        "Event": notification.event,
        "At": notification.occurred_at,
        "Kind": notification.kind,
        "Severity": notification.severity,
        "Status": notification.status,
        "Escalated": f"{notification.escalation} times" if notification.escalation else "",
        "Assignee": notification.assignee,
        "Incident": str(notification.incident_id),
        "Organization": str(notification.organization_id or ""),
        "Cluster": str(notification.cluster_id or ""),
        "Resource": str(notification.resource_id or ""),
    }
    lines = [f"{name + ':':<14}{value}" for name, value in facts.items() if value]
    detail = json.dumps(dict(notification.detail), indent=2, ensure_ascii=False, sort_keys=True)
    return "\n".join([notification.title, "", *lines, "", detail, ""])
