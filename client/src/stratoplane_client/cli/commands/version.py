# SPDX-License-Identifier: Apache-2.0
"""``stratoplane version``."""

from importlib.metadata import version

import click

from stratoplane_client.cli.groups import Verb
from stratoplane_client.cli.output import document
from stratoplane_client.cli.session import NoContextError, Session
from stratoplane_client.errors import ClientError


@click.command("version", cls=Verb)
@click.pass_obj
def command(session: Session) -> None:
    """Show the versions of this command and of the server, if it can be reached."""
    session.fail_fast = True
    mine = version("stratoplane-client")
    facts: dict[str, str | None] = {"client": mine, "server": None, "url": None}
    problem = ""
    try:
        facts["url"] = session.context.url
        with session.connect(session.context.url, None, session.context.ca_file) as client:
            facts["server"] = client.version().version
    except NoContextError:
        problem = "unknown; log in with 'stratoplane login'"
    except ClientError as error:
        problem = str(error)
    if session.machine_readable:
        document(session, facts)
    else:
        click.echo(f"stratoplane {mine}")
        if session.output == "table":
            click.echo(f"server      {facts['server'] or problem}")
