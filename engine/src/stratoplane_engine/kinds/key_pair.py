# SPDX-License-Identifier: Apache-2.0
"""Key pairs: public SSH keys for a machine's first user. The platform never sees the private half."""

from dataclasses import dataclass

from stratoplane.kinds import (
    Draft,
    Kind,
    References,
    ResolvedReferences,
    ResourcePatch,
    ResourceRequest,
    Spec,
)
from stratoplane.quota import DEFAULT_LIMITS, Amount, QuotaKey
from stratoplane_engine.kinds.public_keys import read_public_key


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyPairSpec(Spec):
    """A public key as it is kept: one line of OpenSSH, and its SHA-256 fingerprint."""

    public_key: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyPairRequest(ResourceRequest):
    """A public key to keep, in OpenSSH's one-line form."""

    public_key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyPairPatch(ResourcePatch):
    """What may change of a key pair."""


class KeyPairKind(Kind[KeyPairSpec, KeyPairRequest, KeyPairPatch]):
    """Key pairs."""

    name = "key_pair"
    interface = None
    quota_key = QuotaKey.KEY_PAIRS
    default_limit = DEFAULT_LIMITS[QuotaKey.KEY_PAIRS]
    spec = KeyPairSpec
    request = KeyPairRequest
    patch = KeyPairPatch

    def references(self, wanted: KeyPairRequest | KeyPairPatch) -> References:  # noqa: ARG002
        return References()

    def draft(self, wanted: KeyPairRequest, found: ResolvedReferences) -> Draft[KeyPairSpec]:  # noqa: ARG002
        key = read_public_key(wanted.public_key)
        return Draft(spec=KeyPairSpec(public_key=key.line, fingerprint=key.fingerprint))

    def redraft(self, present: KeyPairSpec, change: KeyPairPatch, found: ResolvedReferences) -> Draft[KeyPairSpec]:  # noqa: ARG002
        return Draft(spec=present)

    def quota_usage(self, spec: KeyPairSpec) -> Amount:  # noqa: ARG002
        return {QuotaKey.KEY_PAIRS: 1}
