# SPDX-License-Identifier: Apache-2.0
"""What operators keep: clusters, providers, flavors, images, quotas, plugins; and what says how the platform is."""

from typing import Any, Final

from marshmallow import fields

from stratoplane.messages import ProviderStatus
from stratoplane.quota import UNLIMITED, QuotaKey
from stratoplane.registry import ExtensionState
from stratoplane_api.schemas import members as m
from stratoplane_api.schemas.known_kinds import known_kinds
from stratoplane_api.schemas.strict import Answer, Request, changed, request

CLUSTER_STATES: Final = ("ENABLED", "DRAINING", "DISABLED")
AGENT_STATES: Final = ("ACTIVE", "LOCKED", "REVOKED")
IMAGE_FORMATS: Final = ("qcow2", "raw")
_SHA256: Final = r"^([0-9a-f]{64})?$"
_SOURCE: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$"
_LARGEST_LIMIT: Final = 2**53


class Cluster(Answer):
    """A place where resources live, served by one agent."""

    id = m.identifier(required=True)
    name = m.name(required=True)
    description = m.text(required=True)
    state = m.choice(CLUSTER_STATES, required=True)
    online = m.flag(required=True)
    features = m.strings(required=True)
    labels = m.labels(required=True)
    vcpus_total = m.whole(required=True)
    vcpus_claimed = m.whole(required=True)
    memory_mib_total = m.whole(required=True)
    memory_mib_claimed = m.whole(required=True)
    storage_gib_total = m.whole(required=True)
    storage_gib_claimed = m.whole(required=True)
    seen_at = m.timestamp("When the cluster's agent last contacted the control plane.", required=True, allow_none=True)
    version = m.whole(required=True)
    created_at = m.timestamp("When the object was created.", required=True)
    updated_at = m.timestamp("When the object was last changed.", required=True)


class ClusterCreate(Request):
    """A cluster to make."""

    name = m.name(required=True)
    description = m.line(load_default="")
    labels = m.labels(load_default=dict)


class ClusterUpdate(Request):
    """What may change of a cluster."""

    description = changed(ClusterCreate, "description")
    labels = changed(ClusterCreate, "labels")
    state = m.choice(
        CLUSTER_STATES,
        "What the cluster takes on: `DRAINING` and `DISABLED` clusters get nothing new; jobs of `DISABLED` ones wait.",
    )


class ClusterName(Answer):
    """A cluster as tenants see it."""

    name = m.name(required=True)
    features = m.strings(required=True)
    online = m.flag(required=True)


class JoinToken(Answer):
    """A one-use token for the agent of one cluster, shown this once."""

    id = m.identifier(required=True)
    cluster_id = m.identifier(required=True)
    token = m.text(required=True)
    expires_at = m.timestamp("When the token stops being valid, whether it was used or not.", required=True)


class JoinTokenCreate(Request):
    """A join token to make."""

    expires_in = m.whole("For how many seconds the token can be used.", least=60, most=7 * 24 * 3600, load_default=3600)
    replace = m.flag(
        "Whether the agent that joins takes the place of the one that the cluster has, which is revoked then.",
        load_default=False,
    )


class Agent(Answer):
    """An agent of a cluster; it proves itself by a key that it made."""

    id = m.identifier(required=True)
    cluster_id = m.identifier(required=True)
    cluster = m.text("Name of the cluster that the agent serves.", required=True)
    name = m.text(required=True)
    version = m.text(required=True)
    protocol = m.whole("Number of the agent protocol that it speaks.", required=True)
    generation = m.whole("How many keys the agent has had; every rotation adds one.", required=True)
    state = m.choice(AGENT_STATES, "LOCKED when its key seems to have been copied: enrol it again.", required=True)
    created_at = m.timestamp("When the agent enrolled.", required=True)
    seen_at = m.timestamp("When the agent last contacted the control plane.", required=True, allow_none=True)
    revoked_at = m.timestamp(
        "When an operator revoked the agent's access; null if nobody did.", required=True, allow_none=True
    )
    locked_at = m.timestamp(
        "When the agent was locked because its key seems to have been copied; null if it was not.",
        required=True,
        allow_none=True,
    )


class DriverListing(Answer):
    """One thing that a driver is asked again and again."""

    name = m.text("A kind of resource, `capacity`, `images` or `health`.", required=True)
    answered_at = m.timestamp("When the driver answered last, or was asked first while it never has.", required=True)
    error = m.text("Why the last call failed; empty if it did not.", required=True)


class Provider(Answer):
    """A driver of a cluster, as its agent reported it."""

    cluster_id = m.identifier(required=True)
    cluster = m.text("Name of the cluster that the driver works for.", required=True)
    interface = m.text(required=True)
    driver = m.text(required=True)
    version = m.text(required=True)
    contract = m.text(required=True)
    status = m.choice(ProviderStatus, required=True)
    reason = m.text("Why the driver does not work; empty if it does.", required=True)
    features = m.strings(required=True)
    production_ready = m.flag(required=True)
    reported_at = m.timestamp("When the agent reported this.", required=True)
    images = m.strings(
        description="Images that the driver has, by `source`, or by id where it keeps a copy; null if it does not"
        " tell, so that any may be there.",
        required=True,
        allow_none=True,
    )
    listings = m.several(DriverListing, required=True)


class Flavor(Answer):
    """A size of machine."""

    id = m.identifier(required=True)
    name = m.text(required=True)
    vcpus = m.whole(required=True)
    memory_mib = m.whole(required=True)
    disk_gib = m.whole(required=True)
    version = m.whole(required=True)
    created_at = m.timestamp("When the object was created.", required=True)
    updated_at = m.timestamp("When the object was last changed.", required=True)


class FlavorCreate(Request):
    """A size to offer."""

    name = m.catalogue_name(required=True)
    vcpus = m.whole(least=1, most=512, required=True)
    memory_mib = m.whole(least=64, most=16 * 1024 * 1024, required=True)
    disk_gib = m.whole(least=1, most=65_536, required=True)


class FlavorUpdate(Request):
    """What may change of a flavor; machines keep the size they were made with."""

    name = changed(FlavorCreate, "name")
    vcpus = changed(FlavorCreate, "vcpus")
    memory_mib = changed(FlavorCreate, "memory_mib")
    disk_gib = changed(FlavorCreate, "disk_gib")


class Image(Answer):
    """A disk to start from, as tenants see it."""

    id = m.identifier(required=True)
    name = m.text(required=True)
    description = m.text(required=True)
    format = m.choice(IMAGE_FORMATS, required=True)
    minimum_disk_gib = m.whole(required=True)
    clusters = m.strings(
        description="Names of up to 100 clusters that can start machines from it; a cluster that does not tell which"
        " images it has is among them. A machine goes to one of these only.",
        required=True,
    )
    version = m.whole(required=True)
    created_at = m.timestamp("When the object was created.", required=True)
    updated_at = m.timestamp("When the object was last changed.", required=True)


class OperatorImage(Image):
    """A disk to start from, with where clusters find it."""

    source = m.text("File name in the drivers' image folder, or the provider's own id.", required=True)
    sha256 = m.text("Digest of the file, empty when it is not known.", required=True)


class ImageCreate(Request):
    """An image to offer."""

    name = m.catalogue_name(required=True)
    description = m.line(load_default="")
    source = m.matching(_SOURCE, "must be a plain file name or an id", required=True)
    format = m.choice(IMAGE_FORMATS, load_default="qcow2")
    sha256 = m.matching(_SHA256, "must be 64 hexadecimal digits in lower case", load_default="")
    minimum_disk_gib = m.whole(least=1, most=65_536, load_default=1)


class ImageUpdate(Request):
    """What may change of an image."""

    name = changed(ImageCreate, "name")
    description = changed(ImageCreate, "description")
    minimum_disk_gib = changed(ImageCreate, "minimum_disk_gib")


class QuotaLine(Answer):
    """One limit and what is used of it."""

    key = m.text("What is counted, as `vcpus`; kinds of plugins have keys of their own.", required=True)
    limit = m.whole(f"{UNLIMITED} for no limit.", required=True)
    used = m.whole(required=True)


class Quotas(Answer):
    """Every limit of an organization or a project."""

    organization = m.several(QuotaLine, required=True)
    project = m.several(QuotaLine, required=True)


def _limit() -> fields.Integer:
    return m.whole(
        f"New limit: a whole number, 0 or more, or {UNLIMITED} for no limit.", least=UNLIMITED, most=_LARGEST_LIMIT
    )


class _Limits(Request):
    """Limits by key: those that are declared, and those of kinds that plugins add."""

    def load(self, data: Any, **options: Any) -> dict[str, int]:
        """Return the limits of ``data``; its keys must be those of the kinds that this process knows."""
        added = {key: _limit() for key in known_kinds().quota_keys if key not in self.declared_fields}
        if not added:
            return dict(super().load(data, **options))
        return dict(request("QuotaUpdate", {**self.declared_fields, **added})().load(data, **options))


QuotaUpdate: Final[type[Request]] = type("QuotaUpdate", (_Limits,), {str(key): _limit() for key in QuotaKey})
"""New limits by key; keys that are left out stay."""


class Plugin(Answer):
    """A plugin that is installed, and what became of it."""

    name = m.text(required=True)
    distribution = m.text(required=True)
    version = m.text(required=True)
    state = m.choice(ExtensionState, required=True)
    reason = m.text("Why the plugin does not work; empty if it does.", required=True)
