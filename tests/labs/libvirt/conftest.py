# SPDX-License-Identifier: Apache-2.0
"""The platform and the libvirt that ``run.sh`` started, and a tenant on them."""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from stratoplane_client import Client
from stratoplane_client.models.resources import VirtualMachine
from stratoplane_client.resources import KeyPairs, Networks, VirtualMachines, Volumes

PATIENCE = 120.0
"""Seconds that an emulated guest may take for anything."""
AnswerT = TypeVar("AnswerT")


def until(condition: Callable[[], AnswerT], what: str) -> AnswerT:
    """Return the first true answer of ``condition``."""
    end = time.monotonic() + PATIENCE
    while not (answer := condition()):
        assert time.monotonic() < end, f"{what}: not within {PATIENCE:.0f} s"
        time.sleep(0.5)
    return answer


def new_name(start: str) -> str:
    """Return a name that nobody has, so that the tests can run again on a platform that stays up."""
    return f"{start}-{uuid.uuid4().hex[:12]}"


class Witness:
    """libvirt as virsh shows it: it knows nothing of the platform."""

    def virsh(self, *arguments: str) -> str:
        """Return what virsh prints."""
        return subprocess.run(["virsh", "-q", *arguments], check=True, capture_output=True, text=True).stdout

    def domains(self) -> list[str]:
        return self.virsh("list", "--all", "--uuid").split()

    def networks(self) -> list[str]:
        return self.virsh("net-list", "--all", "--uuid").split()

    def volumes(self) -> list[str]:
        """Names of the files in the pool, as a fresh look at the folder finds them."""
        self.virsh("pool-refresh", "default")
        return [line.split()[0] for line in self.virsh("vol-list", "default").splitlines() if line.strip()]

    def leased_address(self, network_id: str, mac: str) -> str:
        """Return the address that the network's DHCP server gave to the card, empty if none."""
        fields = self.virsh("net-dhcp-leases", network_id, "--mac", mac).split()
        return next((field.partition("/")[0] for field in fields if "/" in field), "")


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """A project of an organization of its own, as its administrator sees it."""

    client: Client
    project_id: str

    @property
    def machines(self) -> VirtualMachines:
        return self.client.virtual_machines(self.project_id)

    @property
    def networks(self) -> Networks:
        return self.client.networks(self.project_id)

    @property
    def volumes(self) -> Volumes:
        return self.client.volumes(self.project_id)

    @property
    def key_pairs(self) -> KeyPairs:
        return self.client.key_pairs(self.project_id)

    def console_lines(self, machine: VirtualMachine, start: str, count: int = 1) -> list[str]:
        """Wait until ``count`` whole lines of the machine's console hold ``start``, and return each from there on."""

        def found() -> list[str]:
            whole = self.machines.console(machine.id).split("\n")[:-1]
            lines = [line[line.index(start) :].strip() for line in whole if start in line]
            return lines if len(lines) >= count else []

        return until(found, f"{start} on the console of {machine.name}")


@pytest.fixture(scope="session")
def witness() -> Witness:
    return Witness()


@pytest.fixture(scope="session")
def operator() -> Iterator[Client]:
    """The platform's administrator; the cluster is ready."""
    state, listen = Path(os.environ["STRATOPLANE_STATE"]), os.environ["STRATOPLANE_API_LISTEN"]
    credentials = json.loads((state / "credentials.json").read_text())
    with Client(f"http://{listen}") as client:
        client.login(credentials["username"], credentials["password"])
        until(lambda: "compute" in next(client.operator.clusters.list()).features, "the cluster is ready")
        yield client


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Ids of flavors and an image that fit the lab."""

    small: str
    large: str
    image: str


@pytest.fixture(scope="session")
def catalogue(operator: Client) -> Catalogue:
    flavors, images = operator.operator.flavors, operator.operator.images
    return Catalogue(
        small=flavors.create(name=new_name("small"), vcpus=1, memory_mib=128, disk_gib=1).id,
        large=flavors.create(name=new_name("large"), vcpus=2, memory_mib=192, disk_gib=2).id,
        image=images.create(name=new_name("tiny"), source="tiny.qcow2", format="qcow2").id,
    )


@pytest.fixture
def tenant(operator: Client) -> Iterator[Tenant]:
    name = new_name("org")
    organization = operator.operator.organizations.create(name=name)
    password = uuid.uuid4().hex
    user = operator.operator.users.create(organization_id=organization.id, username=f"admin-{name}", password=password)
    operator.operator.role_bindings.create(user_id=user.id, role="organization-admin")
    with Client(operator.url) as client:
        client.login(user.username, password)
        project = client.projects.create(name="main")
        yield Tenant(client=client, project_id=project.id)
