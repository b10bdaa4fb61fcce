# SPDX-License-Identifier: Apache-2.0
"""No URL and no name server leads the plugin to where it may not go."""

import datetime as dt
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stratoplane.errors import PermanentError, TransientError
from stratoplane_webhook.egress import may_be_reached

INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",  # noqa: S104  # nobody listens here
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "2001::1",
    "100::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:a00:1::1",
]


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_not_public_is_not_reached(address):
    assert not may_be_reached(address, [])


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_what_is_public_is_reached(address):
    assert may_be_reached(address, [])


@pytest.mark.parametrize(("address", "reached"), [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("10.2.0.1", False)])
def test_an_allowed_network_is_reached_and_no_more(address, reached):
    assert may_be_reached(address, [ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/64")]) is reached


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::ffff:7f00:1]"]
)
def test_no_spelling_of_loopback_is_reached(receiver, plugin, notification, host):
    with pytest.raises(PermanentError, match="not public"):
        plugin(f"http://{host}:{receiver.port}", allowed_networks=()).stratoplane_notify(notification)

    assert receiver.received == []


@pytest.mark.parametrize("bad", ["10.0.0.1", "::1", "169.254.169.254"])
def test_one_bad_address_among_good_ones_refuses_all(receiver, plugin, notification, bad):
    teller = plugin(f"http://hooks.example:{receiver.port}", resolver=lambda host, port: ["127.0.0.1", bad])

    with pytest.raises(PermanentError, match="allowed_networks"):
        teller.stratoplane_notify(notification)

    assert receiver.received == []


def test_a_name_is_looked_up_once_and_kept_as_the_host(receiver, plugin, notification):
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    teller = plugin(f"http://hooks.example:{receiver.port}", resolver=lambda host, port: answers.pop(0))

    teller.stratoplane_notify(notification)

    assert receiver.received[0].headers["host"] == f"hooks.example:{receiver.port}"
    assert len(answers) == 1


def test_the_next_address_is_tried_when_one_does_not_answer(receiver, plugin, notification):
    teller = plugin(f"http://hooks.example:{receiver.port}", resolver=lambda host, port: ["127.0.0.9", "127.0.0.1"])

    teller.stratoplane_notify(notification)

    assert len(receiver.received) == 1


def test_a_redirect_is_not_followed(receiver, plugin, notification):
    receiver.status, receiver.headers = 307, {"Location": f"{receiver.url}/inside"}

    with pytest.raises(PermanentError, match="answered 307"):
        plugin(f"{receiver.url}/hook").stratoplane_notify(notification)

    assert [each.path for each in receiver.received] == ["/hook"]


def test_proxies_of_the_environment_are_not_asked(receiver, plugin, notification, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    plugin(receiver.url).stratoplane_notify(notification)

    assert len(receiver.received) == 1


@pytest.fixture
def secure(tmp_path, monkeypatch, tls_receiver):
    """Serve by https as hooks.example, with a certificate that the system trusts, and list the names asked for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hooks.example")])
    now = dt.datetime.now(tz=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), critical=False)
    file = tmp_path / "server.pem"
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    plain = serialization.NoEncryption()
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain) + certificate
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    asked = []
    context.sni_callback = lambda connection, name, context: asked.append(name)
    return tls_receiver(context), asked


def test_the_name_of_the_url_is_asked_for_and_checked_by_tls(secure, plugin, notification):
    receiver, asked = secure
    url = f"https://hooks.example:{receiver.port}/x"

    plugin(url, resolver=lambda host, port: ["127.0.0.1"], allow_http=False).stratoplane_notify(notification)

    assert asked == ["hooks.example"]
    assert len(receiver.received) == 1


def test_a_certificate_for_another_name_is_told_nothing(secure, plugin, notification):
    receiver, _ = secure
    teller = plugin(f"https://other.example:{receiver.port}", resolver=lambda host, port: ["127.0.0.1"])

    with pytest.raises(TransientError, match="CERTIFICATE_VERIFY_FAILED"):
        teller.stratoplane_notify(notification)

    assert receiver.received == []
