# SPDX-License-Identifier: Apache-2.0
"""Checkpoints as signed notes: whoever knows the format can check them, and nobody can change them."""

import base64
import hashlib
from datetime import UTC, datetime
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import assume, given
from hypothesis import strategies as st

from stratoplane_engine import signing_keys as keys
from stratoplane_engine.audit_trail.checkpoint import Checkpoint, InvalidCheckpointError, origin_of

PRIVATE = base64.b64encode(bytes(range(32))).decode()
PUBLIC = keys.public_key_of(PRIVATE)
ORIGIN = origin_of(UUID(int=7))
CHECKPOINT = Checkpoint(
    origin=ORIGIN, size=70_851, root=hashlib.sha256(b"x").digest(), sealed_at=datetime(2027, 1, 2, 3, 4, 5, 6, UTC)
)
NOTE = CHECKPOINT.signed(PRIVATE)


def test_a_note_says_what_was_signed() -> None:
    assert Checkpoint.opened(NOTE, PUBLIC) == CHECKPOINT


def test_the_note_is_of_the_published_format() -> None:
    """Read by the words of c2sp.org/signed-note and c2sp.org/tlog-checkpoint, without our code."""
    text, signature = NOTE.split("\n\n")
    assert text.splitlines()[:3] == [ORIGIN, "70851", base64.b64encode(CHECKPOINT.root).decode()]
    mark, name, encoded = signature.rstrip("\n").split(" ")
    assert (mark, name) == ("\u2014", ORIGIN)
    raw, key = base64.b64decode(encoded), base64.b64decode(PUBLIC)
    assert raw[:4] == hashlib.sha256(ORIGIN.encode() + b"\n\x01" + key).digest()[:4]
    Ed25519PublicKey.from_public_bytes(key).verify(raw[4:], f"{text}\n".encode())


def test_signatures_of_witnesses_may_stand_beside_ours() -> None:
    text, ours = NOTE.split("\n\n")
    assert Checkpoint.opened(f"{text}\n\n\u2014 witness.example AAAAAAA=\n{ours}", PUBLIC) == CHECKPOINT


@given(at=st.integers(0, len(NOTE) - 1), character=st.characters(codec="utf-8"))
def test_no_character_of_a_note_can_be_changed(at: int, character: str) -> None:
    changed = NOTE[:at] + character + NOTE[at + 1 :]
    assume(changed.rstrip("\n") != NOTE.rstrip("\n"))
    try:
        assert Checkpoint.opened(changed, PUBLIC) == CHECKPOINT  # more white space at its end, at most
    except InvalidCheckpointError:
        return
    assert changed.split("\n\n")[0] == NOTE.split("\n\n")[0]


@given(text=st.text())
def test_text_that_is_not_a_note_is_refused(text: str) -> None:
    with pytest.raises(InvalidCheckpointError):
        Checkpoint.opened(text, PUBLIC)


def test_the_signature_of_another_key_is_refused() -> None:
    other = CHECKPOINT.signed(keys.new_private_key())
    with pytest.raises(InvalidCheckpointError, match="no valid signature of this installation"):
        Checkpoint.opened(other, PUBLIC)
    with pytest.raises(InvalidCheckpointError, match="no valid signature"):
        Checkpoint.opened(NOTE, "no key")
