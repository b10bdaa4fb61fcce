# SPDX-License-Identifier: Apache-2.0
"""The server that stands for the platform in the client's tests has the platform's own jobs."""

from client.tests.contract_server.kinds import STEPS
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS
from stratoplane_engine.workflows.catalogue import WORKFLOWS, step_names


def test_its_jobs_have_the_steps_of_the_workflows():
    assert {name: step_names(name, BUILTIN_KINDS) for name in WORKFLOWS} == STEPS
