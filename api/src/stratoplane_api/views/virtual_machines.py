# SPDX-License-Identifier: Apache-2.0
"""Virtual machines of a project."""

from typing import Any
from uuid import UUID

from flask import Response

from stratoplane.wire import from_json
from stratoplane_api import answers
from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.gateway import context, database, page, plugins
from stratoplane_api.namespaces import TENANT
from stratoplane_api.presentation.virtual_machines import virtual_machine
from stratoplane_api.schemas import compute, examples
from stratoplane_api.schemas.queries import ChangeQuery
from stratoplane_api.schemas.resources import accepted, planned
from stratoplane_api.views.changes import answer_change
from stratoplane_api.views.kinds import (
    VIRTUAL_MACHINE,
    creating_endpoint,
    deleting_endpoint,
    listing_endpoint,
    reading_endpoint,
    updating_endpoint,
)
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.kinds.virtual_machine import VirtualMachinePatch, VirtualMachineRequest
from stratoplane_engine.services import virtual_machines


@TENANT.add(listing_endpoint("list_virtual_machines", VIRTUAL_MACHINE))
def list_virtual_machines(project_id: UUID) -> Response:
    return answers.page_of(
        virtual_machines.list_virtual_machines(database(), context(), project_id, page()), virtual_machine
    )


@TENANT.add(creating_endpoint("create_virtual_machine", VIRTUAL_MACHINE))
def create_virtual_machine(project_id: UUID, body: dict[str, Any]) -> Response:
    wanted = from_json(VirtualMachineRequest, body)
    outcome = virtual_machines.create_virtual_machine(database(), context(), project_id, wanted, plugins=plugins())
    return answer_change(VIRTUAL_MACHINE, project_id, outcome)


@TENANT.add(reading_endpoint("get_virtual_machine", VIRTUAL_MACHINE))
def get_virtual_machine(project_id: UUID, id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    return answers.item(virtual_machine(virtual_machines.get_virtual_machine(database(), context(), project_id, id)))


@TENANT.add(updating_endpoint("update_virtual_machine", VIRTUAL_MACHINE))
def update_virtual_machine(project_id: UUID, id: UUID, body: dict[str, Any]) -> Response:  # noqa: A002
    patch = from_json(VirtualMachinePatch, body)
    outcome = virtual_machines.update_virtual_machine(database(), context(), project_id, id, patch, plugins=plugins())
    return answer_change(VIRTUAL_MACHINE, project_id, outcome)


@TENANT.add(deleting_endpoint("delete_virtual_machine", VIRTUAL_MACHINE))
def delete_virtual_machine(project_id: UUID, id: UUID) -> Response:  # noqa: A002
    outcome = virtual_machines.delete_virtual_machine(database(), context(), project_id, id, plugins=plugins())
    return answer_change(VIRTUAL_MACHINE, project_id, outcome)


@TENANT.add(
    Endpoint(
        id="reboot_virtual_machine",
        method="POST",
        path="/projects/<id:project_id>/virtual-machines/<id:id>/reboots",
        access=Permission.RESOURCE_WRITE,
        summary="Restart a running virtual machine",
        tag="Virtual machines",
        query=ChangeQuery,
        success=202,
        answer=accepted("virtual_machine", compute.VirtualMachine),
        plan=planned("virtual_machine", compute.VirtualMachine),
        features=frozenset({Feature.IDEMPOTENT, Feature.DEFERRED}),
        example={
            "virtual_machine": examples.VIRTUAL_MACHINE,
            "job": examples.job("virtual_machine.reboot", examples.MACHINE_ID, "web-1"),
        },
        errors=(409, 410),
    )
)
def reboot_virtual_machine(project_id: UUID, id: UUID) -> Response:  # noqa: A002
    outcome = virtual_machines.reboot_virtual_machine(database(), context(), project_id, id, plugins=plugins())
    return answer_change(VIRTUAL_MACHINE, project_id, outcome)


@TENANT.add(
    Endpoint(
        id="read_virtual_machine_console",
        method="POST",
        path="/projects/<id:project_id>/virtual-machines/<id:id>/console-logs",
        access=Permission.CONSOLE_READ,
        summary="Read what a virtual machine wrote to its serial console",
        description="`output.text` of the job holds the console's text.",
        tag="Virtual machines",
        query=ChangeQuery,
        success=202,
        answer=accepted("virtual_machine", compute.VirtualMachine),
        plan=planned("virtual_machine", compute.VirtualMachine),
        features=frozenset({Feature.IDEMPOTENT, Feature.DEFERRED}),
        example={
            "virtual_machine": examples.VIRTUAL_MACHINE,
            "job": examples.job("virtual_machine.read_console", examples.MACHINE_ID, "web-1"),
        },
        errors=(409, 410),
    )
)
def read_virtual_machine_console(project_id: UUID, id: UUID) -> Response:  # noqa: A002
    outcome = virtual_machines.read_virtual_machine_console(database(), context(), project_id, id, plugins=plugins())
    return answer_change(VIRTUAL_MACHINE, project_id, outcome)
