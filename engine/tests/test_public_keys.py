# SPDX-License-Identifier: Apache-2.0
"""Public keys: what OpenSSH reads is taken, and nothing else."""

import base64
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from stratoplane.errors import InvalidSpecError
from stratoplane_engine.kinds.public_keys import KEY_TYPES, LARGEST_KEY, read_public_key

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUEyDRJGXJrSYvJF0bjPzS0pVIWzB1oDOLKmRLgj"
FIDO, FIDO_EC = "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"


def packed(*fields: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(field)) + field for field in fields)


def line(key_type: str, *fields: bytes, name: str | None = None) -> str:
    """Return a key of ``fields``, whose content says to be of the type ``name``."""
    return f"{key_type} {base64.b64encode(packed((name or key_type).encode(), *fields)).decode()}"


def number(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def plain(key: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def point(curve: ec.EllipticCurve, form: PublicFormat = PublicFormat.UncompressedPoint) -> bytes:
    return ec.derive_private_key(7, curve).public_key().public_bytes(Encoding.X962, form)


ON_P256 = point(ec.SECP256R1())
OFF_P256 = ON_P256[:-1] + bytes([ON_P256[-1] ^ 1])
OF_EACH_TYPE = [
    ED25519,
    line("ssh-rsa", number(65_537), number(2**2047 + 1)),
    line("ssh-rsa", number(65_537), number(2**1023 + 1)),
    *(
        plain(ec.derive_private_key(7, curve).public_key())
        for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
    ),
    line(FIDO, b"x" * 32, b"ssh:"),
    line(FIDO_EC, b"nistp256", ON_P256, b"ssh:host"),
]
REFUSED = [
    "",
    "ssh-ed25519",
    "ssh-ed25519 not-base64!",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n-----END OPENSSH PRIVATE KEY-----",
    'command="reboot" ' + ED25519,
    ED25519 + "=",
    ED25519 + "====",
    ED25519[:-1],
    ED25519.replace(" ", "\t"),
    ED25519.replace(" ", "\u00a0"),
    ED25519.replace("ssh-ed25519", "ssh-rsa"),
    ED25519.replace("ssh-ed25519", FIDO),
    line("ssh-ed25519"),
    line("ssh-ed25519", b"short"),
    line("ssh-ed25519", b"x" * 32)[:-8],
    line("ssh-ed25519", b"x" * 32, b"more"),
    line("ssh-dss", number(2**1023 + 1), number(2**159 + 1), number(2), number(4)),
    line("ssh-rsa", number(65_537)),
    line("ssh-rsa", number(65_537), number(2**511 + 1)),
    line("ssh-rsa", number(65_537), number(2**1022 + 1)),
    line("ssh-rsa", number(65_537), number(2**16_384 + 1)),
    "ssh-rsa " + base64.b64encode(b"\xff\xff\xff\xffssh-rsa").decode(),
    line("ecdsa-sha2-nistp256", b"nistp256", OFF_P256),
    line("ecdsa-sha2-nistp256", b"nistp384", ON_P256),
    line("ecdsa-sha2-nistp256", b"nistp256", point(ec.SECP256R1(), PublicFormat.CompressedPoint)),
    line("ecdsa-sha2-nistp384", b"nistp256", ON_P256, name="ecdsa-sha2-nistp256"),
    line(FIDO, b"x" * 32),
    line(FIDO, b"x" * 31, b"ssh:"),
    line(FIDO, b"x" * 32, b"ssh:\x00"),
    line(FIDO, b"x" * 32, b"ssh:", b"more"),
    line(FIDO_EC, b"nistp256", OFF_P256, b"ssh:"),
    line(FIDO_EC, b"nistp384", point(ec.SECP384R1()), b"ssh:"),
]
NOT_A_LINE = [
    ED25519 + f" comment{break_}{more}"
    for break_ in ("\n", "\r", "\x0b", "\x85", "\u2028", "\u2029", "\x00", "\u202e", "\u200b")
    for more in ("x", "ssh-rsa AAAA")
]


@pytest.mark.parametrize("text", OF_EACH_TYPE, ids=lambda text: text.partition(" ")[0])
def test_a_key_of_each_type_is_taken(text: str) -> None:
    assert read_public_key(text).line == text


def test_the_corpus_has_every_type() -> None:
    assert {text.partition(" ")[0] for text in OF_EACH_TYPE} == set(KEY_TYPES)


@pytest.mark.parametrize("text", [*REFUSED, *NOT_A_LINE])
def test_what_openssh_does_not_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        read_public_key(text)
    assert [violation.pointer for violation in caught.value.violations] == ["/public_key"]


def test_the_comment_and_what_stands_around_are_not_part_of_the_fingerprint() -> None:
    """Printed by OpenSSH 9.2."""
    known = read_public_key(ED25519)

    for text in (f"{ED25519} alice@example", f"  {ED25519}\n", f"{ED25519}\r\n", f"{ED25519}  \u00fcber alles "):
        assert read_public_key(text).fingerprint == known.fingerprint
        assert read_public_key(text).line == text.strip(" \r\n")


def test_a_key_has_a_limit_in_bytes() -> None:
    room = LARGEST_KEY - len(ED25519) - 1
    assert len(read_public_key(f"{ED25519} {'x' * room}").line) == LARGEST_KEY
    with pytest.raises(InvalidSpecError, match="8192 bytes"):
        read_public_key(f"{ED25519} {chr(0x20AC) * (room // 2)}")


@given(st.text(max_size=200))
def test_any_other_text_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        read_public_key(f"{text}?")
    assert caught.value.violations[0].pointer == "/public_key"


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str | None]:
    """``printed(text)``: the fingerprint that ``ssh-keygen -lf`` prints of a key, None if it refuses it."""
    program = shutil.which("ssh-keygen")
    if program is None:
        pytest.skip("ssh-keygen is not installed on this machine")
    file = tmp_path_factory.mktemp("keys") / "key.pub"

    def show(text: str) -> str | None:
        file.write_bytes(text.encode(errors="surrogatepass"))
        shown = subprocess.run([program, "-l", "-E", "sha256", "-f", str(file)], check=False, capture_output=True)
        return shown.stdout.split()[1].decode() if shown.returncode == 0 else None

    return show


@pytest.mark.parametrize("text", OF_EACH_TYPE, ids=lambda text: text.partition(" ")[0])
def test_the_fingerprint_is_the_one_that_openssh_prints(printed: Callable[[str], str | None], text: str) -> None:
    assert read_public_key(text).fingerprint == printed(text)


@pytest.mark.parametrize(("kind", "bits"), [("ed25519", "256"), ("rsa", "2048"), ("ecdsa", "256"), ("ecdsa", "521")])
def test_what_openssh_makes_is_taken(
    tmp_path: Path, printed: Callable[[str], str | None], kind: str, bits: str
) -> None:
    command = ["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-C", "alice@example", "-f", str(tmp_path / "key")]
    subprocess.run(command, check=True)
    public = (tmp_path / "key.pub").read_text()

    assert read_public_key(public).fingerprint == printed(public)


@st.composite
def nearly_keys(draw: st.DrawFn) -> str:
    """A key with a byte of its content changed, taken out or put in, or a name that may not fit."""
    key_type, word = draw(st.sampled_from(OF_EACH_TYPE)).split(" ")
    content = bytearray(base64.b64decode(word))
    place = draw(st.integers(0, len(content) - 1))
    match draw(st.sampled_from(["keep", "change", "cut", "grow", "name", "padding"])):
        case "change":
            content[place] = draw(st.integers(0, 255))
        case "cut":
            del content[place]
        case "grow":
            content.insert(place, draw(st.integers(0, 255)))
        case "name":
            key_type = draw(st.sampled_from(KEY_TYPES))
        case "padding":
            return f"{key_type} {base64.b64encode(content).decode()}{draw(st.sampled_from(['=', '==', 'A', 'AAA=']))}"
    return f"{key_type} {base64.b64encode(content).decode()}"


@given(text=nearly_keys())
def test_openssh_reads_every_key_that_is_taken(printed: Callable[[str], str | None], text: str) -> None:
    try:
        key = read_public_key(text)
    except InvalidSpecError:
        return
    assert printed(key.line) == key.fingerprint
