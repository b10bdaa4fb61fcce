# SPDX-License-Identifier: Apache-2.0
"""``python -m stratoplane_server.demo``: start the platform unless it is running, and run a virtual machine on it.

It does through the REST API what a provider and a tenant do: an organization and its administrator, a project, a
network, a volume, a virtual machine. Running it again creates one more machine in the same project.
"""

import argparse
import itertools
import os
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, TypeVar

from stratoplane.errors import StratoplaneError
from stratoplane_client import Client, ClientError, NameUnknownError
from stratoplane_client.changes import Change
from stratoplane_client.models.identity import Organization, Project
from stratoplane_client.models.jobs import Job
from stratoplane_client.models.platform import Provider
from stratoplane_client.models.resources import Network, Resource, VirtualMachine, Volume
from stratoplane_embedded.processes import wait_until
from stratoplane_server import demo_report, lifecycle
from stratoplane_server import settings as server_settings
from stratoplane_server.demo_report import Outcome, Step
from stratoplane_server.settings import ServerSettings
from stratoplane_server.state import StateFolder, read_credentials

NAME: Final = "demo"
FLAVOR: Final = "tiny"
_AGENT_SECONDS: Final = 10.0
_IMAGE_FOLDER_VARIABLE: Final = "STRATOPLANE_LIBVIRT_IMAGE_FOLDER"
_IMAGE_FOLDER: Final = "/var/lib/stratoplane/images"
_LIMITS: Final = {
    "virtual_machines": 50,
    "vcpus": 64,
    "memory_mib": 65536,
    "volumes": 50,
    "storage_gib": 500,
    "networks": 10,
}
Made = TypeVar("Made")
Found_co = TypeVar("Found_co", covariant=True)
Kind = TypeVar("Kind", bound=Resource)


class DemoError(StratoplaneError):
    """The demonstration cannot continue; the text says what to do."""

    code = "demo"


class _Named(Protocol[Found_co]):
    def find(self, wanted: str) -> Found_co: ...


@dataclass(kw_only=True)
class _Steps:
    """The steps that were done, and how long each took."""

    done: list[Step] = field(default_factory=list)

    def do(self, what: str, action: Callable[[], Made], describe: Callable[[Made], str]) -> Made:
        """Do one step and print its result."""
        began = time.monotonic()
        made = action()
        step = Step(what=what, result=describe(made), seconds=time.monotonic() - began)
        self.done.append(step)
        print(f"  {step.what}: {step.result} ({step.seconds:.2f} s)", flush=True)
        return made


def main() -> int:
    """Run the demonstration and return the process's exit code."""
    arguments = _arguments()
    if arguments.state:
        os.environ["STRATOPLANE_STATE"] = str(arguments.state.absolute())
    os.environ["STRATOPLANE_DRIVER"] = arguments.driver
    try:
        _run(_Steps())
    except StratoplaneError as error:
        print(f"error: {error.detail}", file=sys.stderr)
    except ClientError as error:
        print(f"error: {error}", file=sys.stderr)
    else:
        return 0
    return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stratoplane_server.demo", description=__doc__)
    parser.add_argument("--driver", default="mock", help="driver of the local cluster (mock)")
    parser.add_argument("--state", type=Path, help="state folder of the platform (STRATOPLANE_STATE or .stratoplane)")
    return parser.parse_args()


def _run(steps: _Steps) -> None:
    configuration = server_settings.read()
    settings = configuration.server
    folder = StateFolder(path=settings.state)
    print("Starting the platform", flush=True)
    report = steps.do(
        "platform",
        lambda: lifecycle.up_detached(configuration, local_agent=True),
        lambda report: f"up at {report.api_url}",
    )
    with Client(report.api_url) as operator, Client(report.api_url) as tenant:
        print("As the provider", flush=True)
        organization = _provide(steps, operator, tenant, settings, folder)
        print("As the tenant", flush=True)
        project = steps.do("project", lambda: _project(tenant), lambda project: f"{project.name} ({project.id})")
        machine = _machine(steps, tenant, project, settings)
        outcome = Outcome(
            steps=steps.done,
            machine=machine,
            quotas=tenant.quotas(project.id),
            events=list(itertools.islice(tenant.audit_events(project.id).list(), demo_report.EVENTS)),
            jobs=list(tenant.jobs(project.id).list(resource_id=machine.id)),
        )
    print(demo_report.page(outcome))
    print(demo_report.farewell(report.api_url, folder, organization.name, project.name))


def _provide(
    steps: _Steps, operator: Client, tenant: Client, settings: ServerSettings, folder: StateFolder
) -> Organization:
    """Do the provider's part, and log in as the tenant's administrator."""
    credentials = read_credentials(folder.credentials)
    if credentials is None:
        raise DemoError(f"{folder.credentials} is missing: the demonstration needs the administrator's password")
    operator.login(credentials.username, credentials.password)
    steps.do("cluster", lambda: _cluster(operator, settings), lambda found: found)
    if settings.driver != "mock":
        steps.do("image", lambda: _image(operator, settings), lambda name: name)
    organization = steps.do("organization", lambda: _organization(operator), lambda made: f"{made.name} ({made.id})")
    limits = operator.operator.quotas
    steps.do(
        "quota",
        lambda: limits.set_organization(organization.id, _LIMITS),
        lambda _: ", ".join(f"{value} {key}" for key, value in _LIMITS.items() if key in ("virtual_machines", "vcpus")),
    )
    steps.do("user", lambda: _user(operator, tenant, organization, folder), lambda name: f"{name} logged in")
    return organization


def _cluster(operator: Client, settings: ServerSettings) -> str:
    """Wait until the local cluster's drivers are ready, or report what is wrong with them."""

    def providers() -> list[Provider]:
        online = any(each.name == settings.cluster_name and each.online for each in operator.clusters.list())
        return [each for each in operator.operator.providers.list() if online and each.cluster == settings.cluster_name]

    def settled() -> bool:
        statuses = {each.status for each in providers()}
        return statuses == {"READY"} or "BROKEN" in statuses

    wait_until(settled, _AGENT_SECONDS)
    found = providers()
    broken = "; ".join(f"{each.interface}: {each.reason}" for each in found if each.status != "READY")
    if broken or not found:
        raise DemoError(
            f"the cluster {settings.cluster_name} accepts no work ({broken or 'no agent is connected'}); "
            "if the platform is running with another driver, stop it first with stratoplane-server down"
        )
    return f"{settings.cluster_name} is connected with the driver {settings.driver}"


def _image(operator: Client, settings: ServerSettings) -> str:
    """Offer the first image file that the driver has."""
    found = Path(os.environ.get(_IMAGE_FOLDER_VARIABLE, _IMAGE_FOLDER))
    files = sorted(found.glob("*.qcow2")) if found.is_dir() else []
    if not files:
        raise DemoError(
            f"no image was found for the driver {settings.driver}: put a qcow2 file into {found} or set another "
            f"folder with {_IMAGE_FOLDER_VARIABLE}; tests/labs/libvirt/make-image.sh FOLDER builds a small one"
        )
    name = _image_name(settings)
    _found_or(operator.operator.images, name, lambda: operator.operator.images.create(name=name, source=files[0].name))
    return f"{name} from {files[0]}"


def _image_name(settings: ServerSettings) -> str:
    return "mock-linux" if settings.driver == "mock" else f"{NAME}-{settings.driver}"


def _organization(operator: Client) -> Organization:
    organizations = operator.operator.organizations
    return _found_or(organizations, NAME, lambda: organizations.create(name=NAME, display_name="Demonstration"))


def _user(operator: Client, tenant: Client, organization: Organization, folder: StateFolder) -> str:
    """Log in as the organization's administrator, who is created again if the password is unknown."""
    kept = folder.demo_password
    try:
        tenant.login(NAME, kept.read_text(encoding="utf-8").strip())
    except (FileNotFoundError, ClientError):
        password = secrets.token_urlsafe(18)
        _forget_user(operator)
        user = operator.operator.users.create(organization_id=organization.id, username=NAME, password=password)
        operator.operator.role_bindings.create(user_id=user.id, role="organization-admin")
        kept.touch(mode=0o600)
        kept.write_text(f"{password}\n", encoding="utf-8")
        tenant.login(NAME, password)
    return NAME


def _forget_user(operator: Client) -> None:
    try:
        operator.operator.users.delete(operator.operator.users.find(NAME).id)
    except NameUnknownError:
        return


def _project(tenant: Client) -> Project:
    return _found_or(tenant.projects, NAME, lambda: tenant.projects.create(name=NAME))


def _machine(steps: _Steps, tenant: Client, project: Project, settings: ServerSettings) -> VirtualMachine:
    """Create the network once, and a volume and a machine each time."""
    networks, volumes, machines = (
        tenant.networks(project.id),
        tenant.volumes(project.id),
        tenant.virtual_machines(project.id),
    )
    taken = {each.name for each in (*machines.list(), *volumes.list())}
    number = next(each for each in itertools.count(1) if not {f"web-{each}", f"data-{each}"} & taken)
    cluster = settings.cluster_name
    cidr = f"10.{20 if settings.driver == 'mock' else 21}.0.0/24"  # networks of a project must not overlap
    network_name = f"{NAME}-{settings.driver}"
    network: Network = steps.do(
        "network",
        lambda: _found_or(
            networks, network_name, lambda: _waited(networks.create(name=network_name, cidr=cidr, cluster=cluster))
        ),
        lambda made: f"{made.name}, {made.cidr}, {made.status}",
    )
    volume: Volume = steps.do(
        "volume",
        lambda: _waited(volumes.create(name=f"data-{number}", size_gib=1, cluster=cluster)),
        lambda made: f"{made.name}, {made.size_gib} GiB, {made.status}",
    )
    return steps.do(
        "virtual machine",
        lambda: _waited(
            machines.create(
                name=f"web-{number}",
                flavor=FLAVOR,
                image=_image_name(settings),
                network_ids=[network.id],
                volume_ids=[volume.id],
                cluster=cluster,
            )
        ),
        lambda made: f"{made.name}, {made.status}, {', '.join(each.address for each in made.addresses)}",
    )


def _waited(change: Change[Kind]) -> Kind:
    """Wait for the job and print its steps."""
    shown: set[str] = set()

    def show(job: Job) -> None:
        step = job.progress.step
        if step and step not in shown and not job.ended:
            shown.add(step)
            print(f"    {job.resource_name}: {step} ({job.progress.done}/{job.progress.total})", flush=True)

    return change.wait(progress=show)


def _found_or(collection: _Named[Made], name: str, create: Callable[[], Made]) -> Made:
    try:
        return collection.find(name)
    except NameUnknownError:
        return create()


if __name__ == "__main__":
    sys.exit(main())
