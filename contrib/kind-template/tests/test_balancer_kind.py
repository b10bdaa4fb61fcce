# SPDX-License-Identifier: Apache-2.0
"""The kind can be served, and its rules hold without a database."""

from uuid import uuid4

import pytest
from stratoplane_balancer.contract import Algorithm
from stratoplane_balancer.kind import LoadBalancerKind, LoadBalancerPatch, LoadBalancerRequest, LoadBalancerSpec

from stratoplane.errors import InvalidSpecError, ResourceNotFoundError
from stratoplane.kinds import ResolvedReferences, Target
from stratoplane.registry import resource_kind_problem
from stratoplane.resources import ResourceStatus

KIND = LoadBalancerKind()
PROJECT = uuid4()


def machine(status: ResourceStatus) -> Target:
    return Target(
        id=uuid4(),
        kind="virtual_machine",
        name="web-1",
        status=status,
        project_id=PROJECT,
        cluster_id=uuid4(),
        spec=LoadBalancerSpec(port=1, algorithm=Algorithm.ROUND_ROBIN, machine_ids=()),
    )


def test_the_platform_can_serve_it() -> None:
    assert resource_kind_problem(KIND, ()) == ""


def test_it_is_placed_where_its_machines_are() -> None:
    web = machine(ResourceStatus.RUNNING)
    found = ResolvedReferences(project_id=PROJECT, targets={web.id: web})

    draft = KIND.draft(LoadBalancerRequest(name="front", port=443, machine_ids=(web.id,)), found)

    assert draft.pinned == {web.cluster_id}
    assert [(link.target_id, link.pointer) for link in KIND.uses(draft.spec)] == [(web.id, "/machine_ids/0")]


def test_machines_that_cannot_be_used_are_refused() -> None:
    failed = machine(ResourceStatus.FAILED)
    found = ResolvedReferences(project_id=PROJECT, targets={failed.id: failed})

    with pytest.raises(InvalidSpecError, match="web-1 is FAILED"):
        KIND.draft(LoadBalancerRequest(name="front", port=443, machine_ids=(failed.id,)), found)
    with pytest.raises(ResourceNotFoundError, match="list its virtual machines"):
        KIND.draft(LoadBalancerRequest(name="front", port=443, machine_ids=(uuid4(),)), found)


def test_a_change_keeps_what_it_does_not_name() -> None:
    present = LoadBalancerSpec(port=443, algorithm=Algorithm.LEAST_CONNECTIONS, machine_ids=())

    draft = KIND.redraft(present, LoadBalancerPatch(), ResolvedReferences(project_id=PROJECT))

    assert draft.spec == present
