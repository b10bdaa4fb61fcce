# SPDX-License-Identifier: Apache-2.0
"""``stratoplane login``."""

import os
import sys
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from stratoplane_client.cli.contexts import Context, Contexts, config_file, save
from stratoplane_client.cli.groups import ProjectVerb
from stratoplane_client.cli.output import show_message
from stratoplane_client.cli.session import Session
from stratoplane_client.errors import AccessDeniedError

if TYPE_CHECKING:
    from stratoplane_client.client import Client
    from stratoplane_client.models.identity import Project

_MOST_PROJECTS = 20
_LOCAL = {"localhost", "127.0.0.1", "::1"}


@click.command("login", cls=ProjectVerb)
@click.argument("url", required=False)
@click.option("-u", "--username", metavar="NAME", help="Your username.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--ca-file", metavar="FILE", help="Certificates to trust for this server, instead of the system's.")
@click.pass_obj
def command(session: Session, url: str | None, username: str | None, password_stdin: bool, ca_file: str | None) -> None:  # noqa: FBT001
    """Log in to a server and save it as a context.

    Without a URL: to the server of the current context. The context is named USERNAME@HOST unless --context says
    otherwise.
    """
    named = session.contexts.named
    kept = named.get(session.current_name) or named.get(session.contexts.current)
    known = os.environ.get("STRATOPLANE_URL") or (kept.url if kept else None)
    url = (url or known or _ask("URL")).rstrip("/")
    same = kept if kept is not None and kept.url == url else None
    username = username or _ask("Username", same.username if same else None)
    trusted = ca_file or (same.ca_file if same else "")
    session.does(f"log in to {url} as {username}")
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else _ask("Password", secret=True)
    # A token of before tells the server that this device is known: others' wrong logins do not hold it back.
    earlier = (same.token or None) if same is not None and same.username == username else None
    with session.connect(url, earlier, trusted) as client:
        _warn_of_plain_text(url)
        given = client.login(username, password)
        visible = _visible(client)
        project = _project(session, client, visible)
        context = Context(
            url=url,
            token=given.token,
            username=username,
            organization=client.me().organization.name,
            project=project.name if project else "",
            project_id=project.id if project else "",
            ca_file=trusted,
        )
    name = session.context_name or _name(session.contexts, context)
    save(config_file(), session.contexts.with_context(name, context))
    where = f"project {context.project}" if context.project else "no project"
    show_message(session, f"Logged in to {url} as {username} (organization {context.organization}, {where}).")
    if project is None and visible:
        _say_which(session, visible)


def _ask(what: str, default: str | None = None, *, secret: bool = False) -> str:
    if not sys.stdin.isatty():
        option = {"Password": "--password-stdin", "Username": "--username"}.get(what, "the argument URL")
        raise click.UsageError(f"cannot ask for the {what} without a terminal; use {option}")
    return str(click.prompt(what, default=default, hide_input=secret, err=True))


def _visible(client: "Client") -> "list[Project]":
    try:
        return list(islice(client.projects.list(), _MOST_PROJECTS))
    except AccessDeniedError:
        return []  # operators need not have one


def _project(session: Session, client: "Client", visible: "Sequence[Project]") -> "Project | None":
    """Return the project that was asked for, or the only one there is."""
    if session.named_project is not None:
        session.noun = "project"
        return client.projects.find(session.named_project)
    return visible[0] if len(visible) == 1 else None


def _say_which(session: Session, visible: "Sequence[Project]") -> None:
    more = ", ..." if len(visible) == _MOST_PROJECTS else ""
    names = ", ".join(each.name for each in visible)
    show_message(session, f"Your projects are {names}{more}; choose one with 'stratoplane project use NAME'.")


def _name(contexts: Contexts, context: Context) -> str:
    """Return the name of the context for the same person at the same server, or a new one."""
    for name, each in contexts.named.items():
        if (each.url, each.username) == (context.url, context.username):
            return name
    return f"{context.username}@{urlsplit(context.url).netloc}"


def _warn_of_plain_text(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in _LOCAL:
        click.echo("Warning: without https the password and the token are sent in plain text.", err=True)
