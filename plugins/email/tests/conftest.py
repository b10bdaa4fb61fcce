# SPDX-License-Identifier: Apache-2.0
"""A mail server on loopback, its certificate, and a notification."""

import asyncio
import datetime as dt
import ipaddress
import ssl
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stratoplane.hookspecs import Notification


@dataclass(kw_only=True)
class Mailbox:
    """What the server answers, and what it was given."""

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    data_answer: str = "250 taken"
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):  # noqa: N802  # aiosmtpd's name
        answer = self.answers.get(address, "250 yes")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  # aiosmtpd's name
        if self.data_answer.startswith("250"):
            self.mails.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        return self.data_answer

    def authenticate(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"right", handled=False)


class FreePortController(Controller):
    def _trigger_server(self):
        # The first connection of start() needs the port that the system chose.
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def serve() -> Iterator[Callable[..., Mailbox]]:
    """Return a maker of mail servers."""
    running = []

    def start(**options) -> Mailbox:
        mailbox = Mailbox()
        if "tls_context" in options:
            options = {"authenticator": mailbox.authenticate, "auth_required": True, **options}
        controller = FreePortController(mailbox, hostname="127.0.0.1", port=0, **options)
        controller.start()
        running.append(controller)
        mailbox.port = controller.port
        return mailbox

    yield start
    for controller in running:
        controller.stop()


@pytest.fixture
def certificate(tmp_path, monkeypatch) -> ssl.SSLContext:
    """Return the server's side of TLS for 127.0.0.1, with a certificate that the system trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    now = dt.datetime.now(tz=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    file = tmp_path / "server.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.fixture
def notification() -> Notification:
    return Notification(
        id=uuid.UUID(int=7),
        event="opened",
        occurred_at="2026-11-23T10:00:00Z",
        incident_id=uuid.UUID(int=8),
        kind="agent-lost",
        severity="WARNING",
        status="OPEN",
        title="cluster rack-1 is silent \N{EM DASH} since 10:00",
        cluster_id=uuid.UUID(int=9),
        detail={"seconds": 180},
    )
