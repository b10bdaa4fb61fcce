# SPDX-License-Identifier: Apache-2.0
"""Virtual machines: what a tenant does with its own."""

from typing import Final
from uuid import UUID

from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.db.connection import Database
from stratoplane_engine.kinds.virtual_machine import (
    VirtualMachineKind,
    VirtualMachinePatch,
    VirtualMachineRequest,
    VirtualMachineSpec,
)
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.model.resource import Resource
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services.changes.action import READ_CONSOLE, REBOOT, act
from stratoplane_engine.services.changes.create import create_resource
from stratoplane_engine.services.changes.delete import delete_resource
from stratoplane_engine.services.changes.request import ChangeRequest
from stratoplane_engine.services.changes.update import update_resource
from stratoplane_engine.services.resources import get_resource, list_resources

_KIND: Final = VirtualMachineKind()


def list_virtual_machines(
    database: Database, context: RequestContext, project_id: UUID, page: Page
) -> Listing[Resource[VirtualMachineSpec]]:
    """Return one page of a project's virtual machines. Raises as :func:`.resources.list_resources`."""
    return list_resources(database, context, project_id, _KIND, page)


def get_virtual_machine(
    database: Database, context: RequestContext, project_id: UUID, virtual_machine_id: UUID
) -> Resource[VirtualMachineSpec]:
    """Return one virtual machine. Raises as :func:`.resources.get_resource`."""
    return get_resource(database, context, project_id, _KIND, virtual_machine_id)


def create_virtual_machine(
    database: Database, context: RequestContext, project_id: UUID, wanted: VirtualMachineRequest, *, plugins: Plugins
) -> ChangeResult:
    """Accept a new virtual machine. Raises as :func:`.changes.create.create_resource`."""
    return create_resource(database, _request(context, project_id, plugins), wanted)


def update_virtual_machine(  # the path's ids are two of them
    database: Database,
    context: RequestContext,
    project_id: UUID,
    virtual_machine_id: UUID,
    patch: VirtualMachinePatch,
    *,
    plugins: Plugins,
) -> ChangeResult:
    """Accept a change of a virtual machine. Raises as :func:`.changes.update.update_resource`."""
    return update_resource(database, _request(context, project_id, plugins), virtual_machine_id, patch)


def delete_virtual_machine(
    database: Database, context: RequestContext, project_id: UUID, virtual_machine_id: UUID, *, plugins: Plugins
) -> ChangeResult:
    """Accept the deletion of a virtual machine. Raises as :func:`.changes.delete.delete_resource`."""
    return delete_resource(database, _request(context, project_id, plugins), virtual_machine_id)


def reboot_virtual_machine(
    database: Database, context: RequestContext, project_id: UUID, virtual_machine_id: UUID, *, plugins: Plugins
) -> ChangeResult:
    """Accept that a running machine is restarted. Raises as :func:`.changes.action.act`."""
    return act(database, _request(context, project_id, plugins), virtual_machine_id, REBOOT)


def read_virtual_machine_console(
    database: Database, context: RequestContext, project_id: UUID, virtual_machine_id: UUID, *, plugins: Plugins
) -> ChangeResult:
    """Accept that a job reads the machine's serial console; ``output.text`` of the job has it. Raises alike."""
    return act(database, _request(context, project_id, plugins), virtual_machine_id, READ_CONSOLE)


def _request(context: RequestContext, project_id: UUID, plugins: Plugins) -> ChangeRequest:
    return ChangeRequest(context=context, project_id=project_id, kind=_KIND, plugins=plugins)
