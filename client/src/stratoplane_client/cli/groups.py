# SPDX-License-Identifier: Apache-2.0
"""Nouns with their verbs, and the options that every verb takes."""

import difflib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from stratoplane_client.cli.session import FORMATS, Session


def _keep(name: str) -> Any:
    def callback(context: click.Context, option: click.Parameter, value: Any) -> None:
        if value is None:
            return
        # The noun's and the verb's place on the line are of one command, so an option is given at one of them.
        if context.meta.setdefault(f"{__name__}.{name}", context) is not context:
            _refuse_repeated(context, option)
        setattr(context.ensure_object(Session), name, value)

    return callback


def _refuse_repeated(context: click.Context, option: click.Parameter) -> None:
    if not context.resilient_parsing:
        raise click.UsageError(f"{' / '.join(option.opts)} is given more than once; give it once", context)


class Once(click.Command):
    """A command whose options are given once each, unless an option takes several values.

    Of two values, whichever were taken, the other would be ignored silently.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the line; refuse an option that is given again."""
        for option in self._repeated(ctx, args):
            _refuse_repeated(ctx, option)
        return super().parse_args(ctx, args)

    def _repeated(self, ctx: click.Context, args: Sequence[str]) -> list[click.Option]:
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        times = Counter(option for option in given if isinstance(option, click.Option))
        return [option for option, count in times.items() if count > 1 and not (option.multiple or option.count)]


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


class Verb(Once):
    """A command that does something."""

    in_project = False

    def __init__(self, *args: Any, **options: Any) -> None:
        """Add the options that every command takes."""
        super().__init__(*args, **options)
        self.params.extend(shared_options(project=self.in_project))


class ProjectVerb(Verb):
    """A command that works in a project."""

    in_project = True


class Noun(Once, click.Group):
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
