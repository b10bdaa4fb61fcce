# SPDX-License-Identifier: Apache-2.0
"""``stratoplane completion``."""

import click
from click.shell_completion import get_completion_class

from stratoplane_client.cli.groups import Verb

_PROGRAM = "stratoplane"
_HOW = {
    "bash": "source <(stratoplane completion bash)",
    "zsh": "source <(stratoplane completion zsh)",
    "fish": "stratoplane completion fish | source",
}


@click.command("completion", cls=Verb)
@click.argument("shell", type=click.Choice(sorted(_HOW)))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print a script that completes commands and names in your shell.

    For bash and zsh put 'source <(stratoplane completion bash)', or zsh, into ~/.bashrc or ~/.zshrc; for fish
    'stratoplane completion fish | source' into ~/.config/fish/config.fish.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not supported")
    script = kind(context.find_root().command, {}, _PROGRAM, "_STRATOPLANE_COMPLETE").source()
    click.echo(f"# {_HOW[shell]}\n{script}")
