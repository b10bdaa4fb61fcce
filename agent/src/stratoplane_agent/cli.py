# SPDX-License-Identifier: Apache-2.0
"""The ``stratoplane-agent`` command."""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final
from uuid import UUID

from stratoplane.errors import SettingsError
from stratoplane.messages import ProviderReport, ProviderStatus
from stratoplane.settings import Secret
from stratoplane.wire import to_json
from stratoplane_agent.agent import Agent, AlreadyRunningError, is_running, journal_file, only_one
from stratoplane_agent.enrol import enrol, enrolled
from stratoplane_agent.identity import IdentityError, credential_file, read_credential
from stratoplane_agent.journal import JournalError, counts_of
from stratoplane_agent.kinds import list_kinds
from stratoplane_agent.log import configure
from stratoplane_agent.providers import DriverContexts, load_providers
from stratoplane_agent.session import AgentStatus, Connection, read_status
from stratoplane_agent.settings import Configuration, read
from stratoplane_agent.timer import Timer
from stratoplane_agent.transport import ControlPlaneError

FAILED: Final = 1
MISCONFIGURED: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the process's exit code: 0, 1 for a failure, 2 for wrong settings."""
    options = _parser().parse_args(arguments)
    try:
        configuration = read(options.config)
        if options.state:
            configuration = replace(configuration, agent=replace(configuration.agent, state=options.state))
        return int(options.act(configuration, options))
    except SettingsError as error:
        for problem in error.problems or [error.detail]:
            print(f"stratoplane-agent: {problem}", file=sys.stderr)
        return MISCONFIGURED
    except (IdentityError, JournalError, ControlPlaneError, OSError) as error:
        print(f"stratoplane-agent: {error}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stratoplane-agent", description="Carry out a cluster's work for a Stratoplane control plane."
    )
    parser.add_argument("--config", type=Path, help="settings (TOML); /etc/stratoplane/agent.toml if it exists")
    parser.add_argument("--state", type=Path, help="folder for credential and journal; overrides every other setting")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    enrolment = commands.add_parser("enrol", help="exchange a join token for a credential")
    enrolment.add_argument("--control-plane", metavar="URL", help="the agents' API, as https://cloud.example:8701")
    enrolment.add_argument("--token-file", metavar="FILE", help="file with the join token, - for standard input")
    enrolment.add_argument("--name", help="name of the agent; the host's name if not given")
    enrolment.add_argument("--replace", action="store_true", help="replace the existing credential")
    enrolment.set_defaults(act=_enrol)
    run = commands.add_parser("run", help="run until SIGTERM")
    run.set_defaults(act=_run)
    drivers = commands.add_parser("drivers", help="show the drivers and whether they work")
    drivers.add_argument("-o", "--output", choices=("table", "json"), default="table")
    drivers.set_defaults(act=_drivers)
    kinds = commands.add_parser("kinds", help="list the kinds of objects that drivers can keep, those of plugins too")
    kinds.add_argument("-o", "--output", choices=("table", "json"), default="table")
    kinds.set_defaults(act=_kinds)
    status = commands.add_parser("status", help="show the agent's state")
    status.add_argument("-o", "--output", choices=("table", "json"), default="table")
    status.set_defaults(act=_status)
    return parser


def _enrol(configuration: Configuration, options: argparse.Namespace) -> int:

    settings = configuration.agent
    if options.token_file:
        settings = replace(settings, join_token=Secret(_text_of(options.token_file).strip()))
    if options.control_plane:
        try:
            settings = replace(settings, control_plane=options.control_plane)
        except ValueError as error:
            raise IdentityError(str(error)) from error
    if options.name:
        settings = replace(settings, name=options.name)
    path = credential_file(settings.state)
    if path.exists() and not options.replace:
        raise IdentityError(f"this agent is already enrolled ({path}); use --replace to replace its credential")
    credential = enrol(settings)
    print(
        f"enrolled as agent {credential.agent_id} of cluster {credential.cluster_name}; start `stratoplane-agent run`"
    )
    return 0


def _text_of(name: str) -> str:
    return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")


def _run(configuration: Configuration, _options: argparse.Namespace) -> int:

    settings = configuration.agent
    if not settings.drivers:
        raise SettingsError(
            "no driver is configured: set default_driver, or compute, network and storage, in the settings"
        )
    configure(settings.log_format, settings.log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, _frame: _stop(stop, signum))
    try:
        with only_one(settings.state):
            credential = enrolled(settings, stop)
            if credential is not None:
                Agent(configuration, credential).run(stop)
    except AlreadyRunningError as error:
        print(f"stratoplane-agent: {error}", file=sys.stderr)
        return FAILED
    return 0


def _stop(stop: threading.Event, number: int) -> None:
    """Stop gracefully; a second signal ends the process at once."""
    stop.set()
    signal.signal(number, signal.SIG_DFL)


def _drivers(configuration: Configuration, options: argparse.Namespace) -> int:
    state = configuration.agent.state
    if is_running(state):
        last = read_status(state)
        providers: Sequence[ProviderReport] = last.providers if last else ()
    else:
        providers = _prepared(configuration)
    if options.output == "json":
        print(json.dumps(to_json(providers), indent=2))
    else:
        _print_providers(providers)
    return 0 if all(each.status is ProviderStatus.READY for each in providers) else FAILED


def _prepared(configuration: Configuration) -> Sequence[ProviderReport]:
    """Load and prepare the drivers in this process, as the agent would."""
    settings = configuration.agent
    try:
        credential = read_credential(settings.state)
        contexts = DriverContexts(
            installation_id=credential.installation_id, cluster_id=credential.cluster_id, state=settings.state
        )
    except IdentityError:
        # Drivers can be tried before the agent is enrolled: preparing a driver marks no object.
        contexts = DriverContexts(installation_id=UUID(int=0), cluster_id=UUID(int=0), state=settings.state)
    providers = load_providers(configuration, contexts, Timer())
    providers.prepare(settings.prepare_seconds)
    return providers.reports()


def _print_providers(providers: Sequence[ProviderReport]) -> None:
    head = ("INTERFACE", "DRIVER", "VERSION", "CONTRACT", "STATUS", "FEATURES")
    rows = [
        (each.interface, each.driver, each.version, each.contract, each.status, ",".join(each.features))
        for each in providers
    ]
    _print_table([head, *rows])
    for each in providers:
        if each.reason:
            print(f"{each.interface}: {each.reason}")
        if not each.production_ready:
            print(f"{each.interface}: the driver {each.driver} is not for production")


def _kinds(configuration: Configuration, options: argparse.Namespace) -> int:
    kinds = list_kinds(configuration.agent.driver_kinds)
    if options.output == "json":
        print(json.dumps(to_json(kinds), indent=2))
    else:
        head = ("KIND", "INTERFACE", "STATE", "DISTRIBUTION", "VERSION")
        rows = [(each.name, each.interface, each.state, each.distribution, each.version) for each in kinds]
        _print_table([head, *rows])
        for each in kinds:
            if each.reason:
                print(f"{each.name}: {each.reason}")
    return FAILED if any(each.reason for each in kinds) else 0


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _status(configuration: Configuration, options: argparse.Namespace) -> int:
    state = configuration.agent.state
    credential, counts = read_credential(state), counts_of(journal_file(state))
    running = is_running(state)
    last = read_status(state)
    facts: dict[str, object] = {
        "agent": str(credential.agent_id),
        "cluster": credential.cluster_name,
        "key generation": credential.generation,
        "control plane": last.control_plane if last else credential.control_plane,
        **_running_facts(last if running else None, running=running),
        "operations in progress": counts.unfinished,
        "results to report": counts.unreported,
    }
    providers = last.providers if last and running else ()
    listings = last.listings if last and running else ()
    if options.output == "json":
        document = {key.replace(" ", "_"): value for key, value in facts.items()}
        print(json.dumps({**document, "providers": to_json(providers), "listings": to_json(listings)}, indent=2))
    else:
        for key, value in facts.items():
            if value != "":
                print(f"{key + ':':20}{value}")
        if running:
            print()
            _print_providers(providers)
            for each in listings:
                if each.error:
                    print(f"{each.interface}: {each.name} has not answered for {each.age_seconds:.0f} s: {each.error}")
    return 0 if running and last and last.connection is Connection.CONNECTED else FAILED


def _running_facts(last: AgentStatus | None, *, running: bool) -> dict[str, object]:
    """Return what the agent last wrote about itself, if it is running and has written anything."""
    if last is None:
        return {
            "running": "yes" if running else "no",
            "connection": "" if running else Connection.STOPPED.value,
            "since": "",
            "reason": "",
        }
    return {
        "running": f"yes, process {last.pid}",
        "connection": last.connection.value,
        "since": last.since,
        "reason": last.reason,
    }
