# SPDX-License-Identifier: Apache-2.0
"""The command ``stratoplane-mock``: inspect a simulated region, disturb it, and inject faults."""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

from stratoplane.errors import StratoplaneError
from stratoplane.resources import PowerState
from stratoplane.wire import to_json
from stratoplane_mock.region import FILE_NAME, MockRegion
from stratoplane_mock.rules import Fault, Kind, parse_rule

_REGION_VARIABLE: Final = "STRATOPLANE_MOCK_REGION"
_STATE_VARIABLE: Final = "STRATOPLANE_STATE"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the process's exit code."""
    options = _parser().parse_args(arguments)
    path = options.region or default_region(os.environ)
    if not path.exists():
        print(f"{path} does not exist; specify the region's file with --region", file=sys.stderr)
        return 2
    try:
        region = MockRegion.open(path)
        try:
            code: int = options.action(region, options)
        finally:
            region.close()
    except (StratoplaneError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return code


def default_region(environment: Mapping[str, str]) -> Path:
    """Return the file that the environment names, or that of the platform's local agent."""
    if named := environment.get(_REGION_VARIABLE):
        return Path(named)
    state = Path(environment.get(_STATE_VARIABLE) or ".stratoplane")
    return state / "agents" / "mock" / "drivers" / "mock" / FILE_NAME


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stratoplane-mock", description=__doc__)
    parser.add_argument(
        "--region",
        type=Path,
        metavar="FILE",
        help=f"the region's file; ${_REGION_VARIABLE}, or that of the local agent in ${_STATE_VARIABLE}, if not given",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_inspection(commands)
    _add_disturbances(commands)
    _add_faults(commands)
    return parser


def _add_inspection(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    show = commands.add_parser("show", help="list the objects of the region, whoever owns them")
    show.add_argument("kind", nargs="*", type=Kind, help=f"only {', '.join(Kind)}", metavar="KIND")
    show.add_argument("--json", action="store_true", help="as one JSON document")
    show.set_defaults(action=_show)
    check = commands.add_parser("check", help="compare the region's counters with its objects")
    check.set_defaults(action=_check)


def _add_disturbances(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verbs = {
        "vanish": ("remove an object behind the platform's back", _vanish),
        "power-off": ("turn a machine off", _power_off),
        "power-on": ("turn a machine on", _power_on),
        "drift": ("flip a machine's power, or turn a network off", _drift),
        "rename": ("rename an object", _rename),
        "hide": ("hide an object from drivers for a while", _hide),
        "fill": ("put objects into a bucket, so that it cannot be deleted", _fill),
    }
    for name, (text, action) in verbs.items():
        verb = commands.add_parser(name, help=text)
        verb.add_argument("uid", type=UUID)
        verb.set_defaults(action=action)
        if name == "rename":
            verb.add_argument("name")
        elif name == "hide":
            verb.add_argument("seconds", type=float)
        elif name == "fill":
            verb.add_argument("objects", type=int)
    for name, text in {
        "add-foreign": "add objects of another installation",
        "add-orphan": "add objects with our mark that the platform does not know",
    }.items():
        adding = commands.add_parser(name, help=text)
        adding.add_argument("kind", type=Kind, help=f"one of {', '.join(Kind)}", metavar="KIND")
        adding.add_argument("--count", type=int, default=1)
        if name == "add-orphan":
            adding.add_argument("--installation", type=UUID, help="owner; that of the first object by default")
        adding.set_defaults(action=_add)


def _add_faults(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    faults = commands.add_parser(
        "faults",
        help="show or set the fault plan",
        description="A rule is fault[@[kind.]verb][=rate][xTIMES], such as lost_after@create=0.1x5, or a JSON object."
        f" Faults are {', '.join(Fault)}.",
    )
    actions = faults.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("show", help="list the rules and how often they were applied")
    listing.add_argument("--json", action="store_true", help="as one JSON document")
    listing.set_defaults(action=_show_faults)
    for name, text in {"set": "replace the whole plan", "add": "add rules to the plan"}.items():
        setting = actions.add_parser(name, help=text)
        setting.add_argument("rules", nargs="*", metavar="RULE")
        setting.add_argument("--file", type=Path, help="a JSON list of rules")
        setting.set_defaults(action=_set_faults, replaces=name == "set")
    actions.add_parser("clear", help="remove all rules").set_defaults(action=_clear_faults)


def _show(region: MockRegion, options: argparse.Namespace) -> int:
    objects = region.admin.objects(*options.kind)
    if options.json:
        document = {"size": region.admin.size(), "used": region.admin.used(), "objects": objects}
        print(json.dumps(to_json(document), indent=2))
        return 0
    for each in objects:
        facts = " ".join(f"{key}={value}" for key, value in each.facts.items())
        print(f"{each.kind:8} {each.uid} {each.name:24} {facts} installation={each.installation}")
    sizes, used = region.admin.size(), region.admin.used()
    print(
        f"{len(objects)} objects; {used['vcpus']} of {sizes.hosts * sizes.host_vcpus} vcpus,"
        f" {used['memory_mib']} of {sizes.hosts * sizes.host_memory_mib} MiB,"
        f" {used['storage_gib']} of {sizes.storage_gib} GiB are used"
    )
    return 0


def _check(region: MockRegion, _options: argparse.Namespace) -> int:
    problems = region.admin.problems()
    print("\n".join(problems) or "the counters match the objects of the region")
    return 1 if problems else 0


def _vanish(region: MockRegion, options: argparse.Namespace) -> int:
    region.admin.vanish(options.uid)
    return 0


def _power_off(region: MockRegion, options: argparse.Namespace) -> int:
    region.admin.switch(options.uid, PowerState.STOPPED)
    return 0


def _power_on(region: MockRegion, options: argparse.Namespace) -> int:
    region.admin.switch(options.uid, PowerState.RUNNING)
    return 0


def _drift(region: MockRegion, options: argparse.Namespace) -> int:
    region.admin.drift(options.uid)
    return 0


def _rename(region: MockRegion, options: argparse.Namespace) -> int:
    region.admin.rename(options.uid, options.name)
    return 0


def _hide(region: MockRegion, options: argparse.Namespace) -> int:
    region.admin.hide(options.uid, options.seconds)
    return 0


def _fill(region: MockRegion, options: argparse.Namespace) -> int:
    region.admin.fill_bucket(options.uid, options.objects)
    return 0


def _add(region: MockRegion, options: argparse.Namespace) -> int:
    for _ in range(options.count):
        if "installation" in options:
            print(region.admin.add_orphan(options.kind, options.installation or _first_owner(region)))
        else:
            print(region.admin.add_foreign(options.kind))
    return 0


def _first_owner(region: MockRegion) -> UUID:
    objects = region.admin.objects()
    if not objects:
        raise ValueError("the region is empty; specify the owner with --installation")
    return objects[0].installation


def _show_faults(region: MockRegion, options: argparse.Namespace) -> int:
    counts = region.faults.show()
    if options.json:
        print(json.dumps(to_json(counts), indent=2))
        return 0
    for count in counts:
        print(f"{count.hits} of {count.calls} calls: {count.rule.to_json()} (set by {count.origin})")
    print(f"{len(counts)} rules")
    return 0


def _set_faults(region: MockRegion, options: argparse.Namespace) -> int:
    listed = json.loads(options.file.read_text(encoding="utf-8")) if options.file else []
    if not isinstance(listed, list):
        raise ValueError(f"{options.file}: must contain a JSON list of rules")  # noqa: TRY004  # one error for bad input
    texts = [*(json.dumps(each) if isinstance(each, dict) else str(each) for each in listed), *options.rules]
    rules = [parse_rule(text) for text in texts]
    if options.replaces:
        region.faults.set(*rules)
    else:
        region.faults.add(*rules)
    return 0


def _clear_faults(region: MockRegion, _options: argparse.Namespace) -> int:
    region.faults.clear()
    return 0
