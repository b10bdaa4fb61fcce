# SPDX-License-Identifier: Apache-2.0
"""Virtual machines and key pairs."""

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import ValidationError, validates_schema

from stratoplane.compute import LARGEST_USER_DATA
from stratoplane.resources import PowerState
from stratoplane_api.schemas import members as m
from stratoplane_api.schemas.resources import Resource
from stratoplane_api.schemas.strict import Answer, Request, changed
from stratoplane_engine.kinds.public_keys import KEY_TYPES, LARGEST_KEY

MOST_INTERFACES: Final = 8
MOST_VOLUMES: Final = 16
_KEY_TEXT: Final = LARGEST_KEY + 256
"""Bytes of a key and of what may stand around its line; the kind checks the line itself."""


class Address(Answer):
    """An address of a machine."""

    network_id = m.identifier(required=True)
    mac = m.text(required=True)
    address = m.text(required=True)


class VirtualMachine(Resource):
    """A virtual machine."""

    flavor = m.text("Name of the machine's flavor.", required=True)
    vcpus = m.whole(required=True)
    memory_mib = m.whole(required=True)
    disk_gib = m.whole(required=True)
    image_id = m.identifier("Id of the image that the machine was made from.", required=True, allow_none=True)
    image = m.text("Name of the image that the machine was made from.", required=True, allow_none=True)
    boot_volume_id = m.identifier(
        "Id of the volume that the machine boots from, if it was not made from an image.",
        required=True,
        allow_none=True,
    )
    network_ids = m.identifiers(
        "Ids of the machine's networks, in the order of the guest's network cards.", MOST_INTERFACES, required=True
    )
    volume_ids = m.identifiers(
        "Ids of the attached data volumes, in the order in which the guest sees them.", MOST_VOLUMES, required=True
    )
    key_pair_id = m.identifier(
        "Id of the key pair whose public key can log in to the guest.", required=True, allow_none=True
    )
    power = m.choice(PowerState, "Whether it should run; `status` says whether it does.", required=True)
    addresses = m.several(Address, required=True)
    host = m.text("Name of the host that runs the machine; empty if the provider does not tell.", required=True)


class VirtualMachineCreate(Request):
    """A machine to make."""

    name = m.name(required=True)
    flavor = m.reference("Id or name of the flavor: processors, memory and root disk.", required=True)
    image = m.reference("Id or name of the image to start from. Give either this or `boot_volume_id`.")
    boot_volume_id = m.identifier("Id of a volume to boot from. Give either this or `image`.")
    network_ids = m.identifiers(
        "Ids of the networks to connect to, with one network card each.", MOST_INTERFACES, load_default=list
    )
    volume_ids = m.identifiers("Ids of the volumes to attach as data volumes.", MOST_VOLUMES, load_default=list)
    key_pair = m.reference("Id or name of the key pair whose public key the guest lets in.")
    user_data = m.sized("User data for cloud-init, handed to the guest unchanged.", LARGEST_USER_DATA, load_default="")
    labels = m.labels(load_default=dict)
    cluster = m.name("Name of the cluster to use; the platform chooses one when it is left out.")
    power = m.choice(PowerState, load_default=PowerState.RUNNING.value)

    @validates_schema
    def _one_source(self, data: Mapping[str, Any], **_: Any) -> None:
        if ("image" in data) == ("boot_volume_id" in data):
            raise ValidationError("give either image or boot_volume_id", "image")


class VirtualMachineUpdate(Request):
    """What may change of a machine; members that are left out stay."""

    name = changed(VirtualMachineCreate, "name")
    labels = changed(VirtualMachineCreate, "labels")
    power = changed(VirtualMachineCreate, "power")
    flavor = changed(VirtualMachineCreate, "flavor", "Id or name of the flavor to resize to.")
    volume_ids = changed(
        VirtualMachineCreate, "volume_ids", "All data volumes that it shall have; others are detached."
    )


class KeyPair(Resource):
    """A public key that machines let in."""

    public_key = m.text(required=True)
    fingerprint = m.text("SHA-256 fingerprint of the public key, as OpenSSH prints it.", required=True)


class KeyPairCreate(Request):
    """A key pair to keep; the private key stays with you."""

    name = m.name(required=True)
    public_key = m.sized(
        f"The public key in one line, as it stands in `id_ed25519.pub`: {', '.join(KEY_TYPES)}.",
        _KEY_TEXT,
        required=True,
    )
    labels = m.labels(load_default=dict)


class KeyPairUpdate(Request):
    """What may change of a key pair."""

    name = changed(KeyPairCreate, "name")
    labels = changed(KeyPairCreate, "labels")
