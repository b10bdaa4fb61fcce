# SPDX-License-Identifier: Apache-2.0
"""``stratoplane project``."""

from itertools import islice
from typing import Any

import click

from stratoplane_client.cli.changing import Deletion, delete_each, retry_on_conflict
from stratoplane_client.cli.commands.org import COLUMNS, details
from stratoplane_client.cli.contexts import config_file, save
from stratoplane_client.cli.groups import Noun
from stratoplane_client.cli.output import show_done, show_many, show_message, show_one
from stratoplane_client.cli.parameters import completing, label_option, limit_option, relabel_options, relabelled
from stratoplane_client.cli.session import NoContextError, Session

names = completing(lambda session, _: (each.name for each in session.client.projects.list()))


@click.group("project", cls=Noun)
def command() -> None:
    """Projects: resources with their own roles and quotas."""


@command.command("list")
@limit_option()
@click.pass_obj
def list_projects(session: Session, most: int | None) -> None:
    """List the projects that you can see."""
    session.does("list projects")
    show_many(session, islice(session.client.projects.list(), most), COLUMNS, nothing="No projects are visible to you.")


@command.command("show")
@click.argument("name", required=False, shell_complete=names)
@click.pass_obj
def show(session: Session, name: str | None) -> None:
    """Show the details of a project, the context's by default."""
    session.does(f"show project {name}" if name else "show the project", "project")
    projects = session.client.projects
    show_one(session, projects.find(name) if name else projects.get(session.project_id), details)


@command.command("use")
@click.argument("name", shell_complete=names)
@click.pass_obj
def use(session: Session, name: str) -> None:
    """Make a project the default project of the context."""
    session.does(f"use project {name}", "project")
    found = session.client.projects.find(name)
    if not session.current_name:
        raise NoContextError("there is no context to save the project in; log in or set STRATOPLANE_PROJECT")
    changed = session.contexts.with_changed(session.current_name, project=found.name, project_id=found.id)
    save(config_file(), changed)
    show_message(session, f"Now working in project {found.name}.")


@command.command("create")
@click.argument("name")
@click.option("--display-name", metavar="TEXT", help="Text for people.")
@label_option
@click.pass_obj
def create(session: Session, name: str, display_name: str | None, labels: Any) -> None:
    """Create a project in your organization."""
    session.does(f"create project {name}")
    made = session.client.projects.create(name=name, display_name=display_name, labels=dict(labels))
    show_done(session, made, f"project {name} created; 'stratoplane project use {name}' makes it the default")


@command.command("update")
@click.argument("name", shell_complete=names)
@click.option("--name", "new_name", metavar="NAME", help="New name.")
@click.option("--display-name", metavar="TEXT", help="Text for people.")
@relabel_options
@click.pass_obj
def update(session: Session, /, name: str, **options: Any) -> None:
    """Change a project."""
    session.does(f"update project {name}", "project")
    projects = session.client.projects
    changed = retry_on_conflict(
        projects,
        projects.find(name),
        lambda fresh: projects.update(
            fresh.id,
            name=options["new_name"],
            display_name=options["display_name"],
            labels=relabelled(fresh.labels, options["labels"], options["removed"]),
            if_match=fresh.etag,
        ),
    )
    show_done(session, changed, f"project {changed.name} changed")


@command.command("delete")
@click.argument("wanted", metavar="NAME...", nargs=-1, required=True, shell_complete=names)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def delete(session: Session, wanted: tuple[str, ...], yes: bool) -> None:  # noqa: FBT001
    """Delete empty projects."""
    session.does("delete projects")
    calls = session.client.projects
    delete_each(session, wanted, Deletion(noun="project", find=calls.find, delete=calls.delete), yes=yes)
