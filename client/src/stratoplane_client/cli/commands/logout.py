# SPDX-License-Identifier: Apache-2.0
"""``stratoplane logout``."""

from contextlib import suppress

import click

from stratoplane_client.cli.contexts import config_file, save
from stratoplane_client.cli.groups import Verb
from stratoplane_client.cli.output import show_message
from stratoplane_client.cli.session import Session
from stratoplane_client.errors import NotAuthenticatedError


@click.command("logout", cls=Verb)
@click.pass_obj
def command(session: Session) -> None:
    """Revoke the token of a context; the context is kept."""
    session.does("log out")
    # A token that has ended already is what is wanted.
    with suppress(NotAuthenticatedError):
        session.client.logout()
    url = session.context.url
    if session.current_name:
        save(config_file(), session.contexts.with_changed(session.current_name, token=""))
    show_message(session, f"Logged out of {url}.")
