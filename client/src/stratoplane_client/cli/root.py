# SPDX-License-Identifier: Apache-2.0
"""The root of the command and the line of help of each noun."""

import click

from stratoplane_client.cli.groups import Root, Section

SECTIONS = (
    Section(
        "Resources of a project",
        {
            "vm": "Virtual machines.",
            "network": "Private networks.",
            "volume": "Disks for virtual machines.",
            "bucket": "Buckets of object stores.",
            "key": "SSH public keys that machines let in.",
            "image": "Disks to start from.",
            "flavor": "Sizes of machines.",
            "job": "What is being done, and how it went.",
            "quota": "Limits and what is used.",
        },
    ),
    Section(
        "Organization",
        {
            "org": "Your organization; for operators, all of them.",
            "project": "Places for resources, with roles and quotas of their own.",
            "user": "People and programs that log in.",
            "role": "Sets of permissions.",
            "role-binding": "Who has which role, and where.",
            "audit": "What happened, and who did it.",
        },
    ),
    Section(
        "Platform (for operators)",
        {
            "cluster": "Places where resources live.",
            "agent": "Agents of clusters, and whether they may work.",
            "provider": "Drivers of clusters, and why one does not work.",
            "plugin": "Plugins of the control plane.",
            "drift": "Differences between what is desired and what is there.",
            "incident": "What somebody must see to.",
            "foreign-object": "What clusters have that is not ours.",
            "leak": "What failed jobs may have left at providers.",
        },
    ),
    Section(
        "You and this command",
        {
            "login": "Log in to a server and remember it as a context.",
            "logout": "End the token of a context.",
            "me": "Show who you are and what you may do.",
            "token": "Your tokens, for programs.",
            "context": "Servers and identities that this command knows.",
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
    epilog="Names and ids are both understood everywhere. 'stratoplane NOUN --help' lists what can be done.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
def root() -> None:
    """Work with a Stratoplane cloud."""
