# SPDX-License-Identifier: Apache-2.0
"""The ``stratoplane-server`` command. Subcommands import what they need, so that help is fast."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Never, TextIO

import click

if TYPE_CHECKING:
    from stratoplane_server.settings import Configuration

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
_EPILOG: Final = (
    "Exit codes: 0 success, 1 failure or (status) not healthy, 2 wrong usage or settings. "
    "Settings come from the environment and from the file that STRATOPLANE_CONFIG names."
)
_OUTPUT: Final = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="output format",
)


def main() -> Never:
    """Run the command; every error that an operator can act on is one line."""
    from stratoplane.errors import SettingsError, StratoplaneError

    try:
        cli.main(prog_name="stratoplane-server", standalone_mode=False)
    except SettingsError as error:
        _fail(EXIT_USAGE, *(error.problems or [error.detail]))
    except StratoplaneError as error:
        _fail(EXIT_FAILED, error.detail)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail(EXIT_FAILED, "interrupted")
    sys.exit(0)


def _fail(code: int, *lines: str) -> Never:
    for line in lines:
        print(f"error: {line}", file=sys.stderr)
    sys.exit(code)


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="stratoplane-server", prog_name="stratoplane-server")
def cli() -> None:
    """Run a private cloud: start the platform, inspect it, stop it."""


@cli.command()
@click.option("--detach", is_flag=True, help="continue in the background once the platform is up")
@click.option("--state", type=click.Path(path_type=Path), help="state folder, instead of STRATOPLANE_STATE")
@click.option("--driver", help="driver of the local agent, instead of STRATOPLANE_DRIVER")
@click.option("--no-agent", is_flag=True, help="start no local agent")
def up(*, detach: bool, state: Path | None, driver: str | None, no_agent: bool) -> None:
    """Start everything on this host under one supervisor, and keep it running."""
    from stratoplane_server import lifecycle

    _choose(state, driver)
    if detach:
        lifecycle.up_detached(_configuration(), local_agent=not no_agent)
    else:
        lifecycle.up(_configuration(), local_agent=not no_agent)


@cli.command()
@click.option("--state", type=click.Path(path_type=Path), help="state folder, instead of STRATOPLANE_STATE")
def down(state: Path | None) -> None:
    """Stop what `up` started; its data stays."""
    from stratoplane_server import lifecycle

    _choose(state)
    lifecycle.down(_configuration())


@cli.command()
@click.argument("role", type=click.Choice(["api", "agent-api", "worker", "scheduler"]))
def run(role: str) -> None:
    """Run one role in the foreground, for your own process manager.

    It uses the databases that STRATOPLANE_DATABASE_URL and STRATOPLANE_REDIS_URL name, or those of the platform that is
    up in the state folder.
    """
    from stratoplane_server import lifecycle

    lifecycle.run_role(_configuration(), role)


@cli.command()
def migrate() -> None:
    """Migrate the database schema to this version and add the built-in roles and flavors."""
    from stratoplane_server.database_commands import migrated
    from stratoplane_server.databases import reachable_database

    with reachable_database(_configuration()) as url:
        print(f"the schema is at revision {migrated(url)}")


@cli.command()
@click.option("--state", type=click.Path(path_type=Path), help="state folder, instead of STRATOPLANE_STATE")
@_OUTPUT
def status(state: Path | None, output: str) -> None:
    """Show processes, databases and agents; the exit code is 1 if something is not healthy."""
    from stratoplane_server import status_page

    _choose(state)
    health = status_page.gather(_configuration())
    print(status_page.as_json(health) if output == "json" else status_page.as_table(health))
    if not health.healthy:
        sys.exit(EXIT_FAILED)


@cli.command("create-admin")
@click.option("--username", required=True, help="name to log in with")
@click.option("--password-stdin", is_flag=True, help="read the password from standard input instead of generating one")
def create_admin(username: str, *, password_stdin: bool) -> None:
    """Create an administrator of the whole platform and print the generated password once."""
    from stratoplane_engine.services.credentials import new_password
    from stratoplane_server.database_commands import create_administrator
    from stratoplane_server.databases import reachable_database

    password = sys.stdin.readline().rstrip("\n") if password_stdin else new_password()
    if not password:
        _fail(EXIT_USAGE, "the password on standard input is empty")
    with reachable_database(_configuration()) as url:
        create_administrator(url, username, password)
    print(f"created administrator {username}" + ("" if password_stdin else f" with password {password}"))


@cli.group()
def config() -> None:
    """Inspect the settings."""


@config.command("show")
@click.option("--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def show_config(output: str) -> None:
    """Show every setting, its value and where that came from; secrets are masked."""
    from stratoplane_server import config_page

    found = config_page.shown(_configuration())
    print(config_page.as_json(found) if output == "json" else config_page.as_table(found))


@cli.group()
def audit() -> None:
    """Check the audit trail."""


@audit.command("verify")
@click.option(
    "--checkpoint",
    type=click.File(),
    help="a checkpoint that was stored elsewhere, as its note; - for standard input",
)
@_OUTPUT
def verify_audit(checkpoint: TextIO | None, output: str) -> None:
    """Compare every sealed event with its seal; the exit code is 1 if something was changed.

    Without a checkpoint of your own, a trail whose end was removed together with its seals looks complete.
    """
    from stratoplane_server import audit_page
    from stratoplane_server.databases import reachable_database

    with reachable_database(_configuration()) as url:
        report = audit_page.verify_trail(url, kept=checkpoint.read() if checkpoint else None)
    print(audit_page.as_json(report) if output == "json" else audit_page.as_text(report))
    if report.findings:
        sys.exit(EXIT_FAILED)


@cli.group()
def plugins() -> None:
    """List, enable and disable plugins."""


@plugins.command("list")
@_OUTPUT
def list_plugins(output: str) -> None:
    """Show every installed or enabled plugin, its state and, when it is broken, the reason."""
    from stratoplane_server import plugin_commands

    print(plugin_commands.listing(_configuration(), as_json=output == "json"))


@plugins.command()
@click.argument("name")
def enable(name: str) -> None:
    """Enable a plugin; a running platform restarts its roles with it."""
    from stratoplane_server import plugin_commands

    print(plugin_commands.enable(_configuration(), name))


@plugins.command()
@click.argument("name")
def disable(name: str) -> None:
    """Disable a plugin; a running platform restarts its roles without it."""
    from stratoplane_server import plugin_commands

    print(plugin_commands.disable(_configuration(), name))


def _choose(state: Path | None = None, driver: str | None = None) -> None:
    """Let an option override its environment variable, for this process and its children."""
    import os

    if state is not None:
        os.environ["STRATOPLANE_STATE"] = str(state.absolute())
    if driver is not None:
        os.environ["STRATOPLANE_DRIVER"] = driver


def _configuration() -> "Configuration":
    from stratoplane_server.settings import read

    return read()
