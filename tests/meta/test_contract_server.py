# SPDX-License-Identifier: Apache-2.0
"""The server that stands for the platform in the client's tests has the platform's own jobs."""

from client.tests.contract_server.kinds import STEPS
from stratoplane_engine.workflows.catalogue import WORKFLOWS


def test_its_jobs_have_the_steps_of_the_workflows():
    assert {name: tuple(step.name for step in workflow.steps) for name, workflow in WORKFLOWS.items()} == STEPS
