# SPDX-License-Identifier: Apache-2.0
"""Key pairs in the form that the API shows."""

from typing import Final

from stratoplane_api.presentation.resources import resource
from stratoplane_engine.kinds.key_pair import KeyPairKind, KeyPairSpec
from stratoplane_engine.model.resource import Resource

_KIND: Final = KeyPairKind()


def key_pair(value: Resource[KeyPairSpec]) -> dict[str, object]:
    """Return the wire form of a key pair."""
    return resource(_KIND, value, {"public_key": value.spec.public_key, "fingerprint": value.spec.fingerprint})
