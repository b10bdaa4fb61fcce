# SPDX-License-Identifier: Apache-2.0
"""Nouns with their verbs, and the options that every verb takes."""

import difflib
from typing import Any

import click

from stratoplane_client.cli.session import FORMATS, Session


def _keep(name: str) -> Any:
    def callback(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value is not None:
            setattr(context.ensure_object(Session), name, value)

    return callback


def shared_options(*, project: bool) -> list[click.Parameter]:
    """Return the options that every command takes, anywhere on the line; ``project`` if it works in one."""
    options: list[click.Parameter] = [
        click.Option(
            ["-o", "--output"],
            type=click.Choice(FORMATS),
            expose_value=False,
            callback=_keep("output"),
            help="Output format: a table, complete objects as json or yaml, or names only.",
        ),
        click.Option(
            ["--context"],
            metavar="NAME",
            expose_value=False,
            callback=_keep("context_name"),
            help="Context to use instead of the current one.",
        ),
        click.Option(
            ["-v", "--verbose"],
            is_flag=True,
            default=None,
            expose_value=False,
            callback=_keep("verbose"),
            help="Show every request, and the request id in errors.",
        ),
    ]
    if project:
        options.insert(
            1,
            click.Option(
                ["--project"],
                metavar="NAME|ID",
                expose_value=False,
                callback=_keep("named_project"),
                help="Project to use instead of the context's.",
            ),
        )
    return options


class Verb(click.Command):
    """A command that does something."""

    in_project = False

    def __init__(self, *args: Any, **options: Any) -> None:
        """Add the options that every command takes."""
        super().__init__(*args, **options)
        self.params.extend(shared_options(project=self.in_project))


class ProjectVerb(Verb):
    """A command that works in a project."""

    in_project = True


class Noun(click.Group):
    """A noun and its verbs."""

    command_class = Verb

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; an unknown one is answered with the nearest that there is."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the commands are {', '.join(self.list_commands(ctx))}"
            ctx.fail(f"there is no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)


class ProjectNoun(Noun):
    """A noun that lives in a project."""

    command_class = ProjectVerb
