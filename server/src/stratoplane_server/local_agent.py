# SPDX-License-Identifier: Apache-2.0
"""``python -m stratoplane_server.local_agent``: run the agent of this host, with a join token if it needs one.

An enrolled agent is started at once. Only the first start needs the engine, whose memory is freed when the agent
replaces this program.
"""

import os
import sys
from typing import Final, NoReturn

from stratoplane_server import settings as server_settings
from stratoplane_server.settings import ServerSettings
from stratoplane_server.state import StateFolder

TOKEN_VARIABLE: Final = "STRATOPLANE_AGENT_JOIN_TOKEN"  # noqa: S105  # its name
_COMMAND: Final = (sys.executable, "-m", "stratoplane_agent", "run")


def main() -> NoReturn:
    """Replace this process by the agent."""
    settings = server_settings.read().server
    agent = StateFolder(path=settings.state).agent(settings.driver)
    agent.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    variables = {
        **os.environ,
        "STRATOPLANE_AGENT_STATE": str(agent.path),
        "STRATOPLANE_AGENT_CONTROL_PLANE": settings.agent_url,
        "STRATOPLANE_AGENT_NAME": os.environ.get("STRATOPLANE_AGENT_NAME") or settings.cluster_name,
        "STRATOPLANE_AGENT_DRIVER": settings.driver,
    }
    if not agent.credential.exists():
        variables[TOKEN_VARIABLE] = _join_token(settings)
    os.execve(_COMMAND[0], _COMMAND, variables)  # noqa: S606  # no shell


def _join_token(settings: ServerSettings) -> str:
    from stratoplane_engine.db.connection import Database  # noqa: PLC0415  # an enrolled agent must not wait for it
    from stratoplane_engine.services import clusters  # noqa: PLC0415

    database = Database(settings.database_url, pool_size=1, application="stratoplane-local-agent")
    try:
        return clusters.ensure_local_cluster(database, settings.cluster_name).token
    finally:
        database.close()


if __name__ == "__main__":
    main()
