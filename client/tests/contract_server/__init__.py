# SPDX-License-Identifier: Apache-2.0
"""A server that stands for the platform where the client's own behaviour is tested, held to the API's document.

Which operations there are, what each takes and which answers it may give comes from ``docs/reference/openapi.json``.
Whatever the server answers is checked against that document, and the tests fail on any difference.
"""

from client.tests.contract_server.command import Command
from client.tests.contract_server.server import PASSWORD, Contract, Fault, Request

__all__ = ["PASSWORD", "Command", "Contract", "Fault", "Request"]
