# SPDX-License-Identifier: Apache-2.0
"""The root of the command: it knows each noun's line of help and loads a noun when it is used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from stratoplane_client.cli.groups import Noun, shared_options
from stratoplane_client.cli.plugins import BrokenCommand, command_names, load_command

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_NOUNS = "stratoplane_client.cli.commands"


@dataclass(frozen=True, slots=True)
class Section:
    """Nouns under one heading of the root's help: each with the line that says what it is."""

    title: str
    nouns: Mapping[str, str]


class Root(Noun):
    """The whole command. It knows each noun's line of help, so that only the noun that is used is loaded."""

    def __init__(self, *args: Any, sections: Sequence[Section], **options: Any) -> None:
        """Keep the sections."""
        super().__init__(*args, **options)
        self.params.extend(shared_options(project=True))
        self.sections = tuple(sections)
        self._lines = {name: line for section in sections for name, line in section.nouns.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return every noun in the order of the help, then those that plugins add."""
        return [*self._lines, *sorted(command_names() - self._lines.keys())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one noun; one that a plugin cannot provide ends the command."""
        if cmd_name in self._lines:
            command = import_module(f"{_NOUNS}.{cmd_name.replace('-', '_')}").command
            return command if isinstance(command, click.Command) else None
        found = load_command(cmd_name)
        if isinstance(found, BrokenCommand):
            if ctx.resilient_parsing:
                return None
            ctx.fail(found.reason)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the nouns by section, loading only those of plugins."""
        sections = [*self.sections]
        if added := self._added_lines(ctx):
            sections.append(Section("Added by plugins", added))
        width = max(len(name) for section in sections for name in section.nouns)
        for section in sections:
            with formatter.section(section.title):
                formatter.write_dl([(name.ljust(width), line) for name, line in section.nouns.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Complete nouns without loading them."""
        from click.shell_completion import CompletionItem

        nouns = [
            CompletionItem(name, help=self._lines.get(name))
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return nouns + click.Command.shell_complete(self, ctx, incomplete)

    def _added_lines(self, ctx: click.Context) -> dict[str, str]:
        """Return the line of help of each noun that a plugin adds; one that is broken is named on standard error."""
        lines = {}
        for name in sorted(command_names()):
            found = None if name in self._lines else load_command(name)
            if isinstance(found, click.Command):
                lines[name] = found.get_short_help_str(limit=ctx.max_content_width or 80)
            else:
                reason = found.reason if found else f"the command {name!r} of a plugin is hidden by the built-in one"
                click.echo(f"Warning: {reason}.", err=True)
        return lines


SECTIONS = (
    Section(
        "Resources of a project",
        {
            "vm": "Virtual machines.",
            "network": "Private networks.",
            "volume": "Disks for virtual machines.",
            "bucket": "Buckets of object stores.",
            "key": "SSH public keys for access to virtual machines.",
            "image": "Disk images to create machines and volumes from.",
            "flavor": "Sizes of machines.",
            "apply": "Make the project what files declare.",
            "job": "Jobs that carry out changes, and their results.",
            "quota": "Quota limits and usage.",
        },
    ),
    Section(
        "Organization",
        {
            "org": "Your organization; for operators, all of them.",
            "project": "Projects: resources with their own roles and quotas.",
            "user": "Users of an organization: people and programs.",
            "role": "Sets of permissions.",
            "role-binding": "Roles granted to users, and their scope.",
            "audit": "The audit trail: what was done, and by whom.",
        },
    ),
    Section(
        "Platform (for operators)",
        {
            "cluster": "Clusters that resources are placed on.",
            "agent": "Agents of clusters, and their state.",
            "provider": "Drivers of clusters, and their state.",
            "plugin": "Plugins of the control plane.",
            "drift": "Drift: observed state that differs from desired state.",
            "incident": "Incidents that need attention.",
            "foreign-object": "Objects on clusters that the platform does not manage.",
            "leak": "Objects that failed jobs may have left at providers.",
        },
    ),
    Section(
        "You and this command",
        {
            "login": "Log in to a server and save it as a context.",
            "logout": "Revoke the token of a context.",
            "me": "Show your user and your permissions.",
            "token": "Your tokens, for programs.",
            "context": "Saved servers and identities.",
            "completion": "Print a script that completes commands and names in your shell.",
            "version": "Show the versions of this command and of the server.",
        },
    ),
)


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001  # click's call
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"stratoplane {version('stratoplane-client')}")
        context.exit()


@click.command(
    cls=Root,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Resources can be given by name or id. 'stratoplane NOUN --help' lists the commands of a noun.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
def root() -> None:
    """Work with a Stratoplane cloud."""
