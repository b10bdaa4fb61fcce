# SPDX-License-Identifier: Apache-2.0
"""``stratoplane quota``."""

from math import ceil
from typing import TYPE_CHECKING, Any

import click

from stratoplane_client.cli import tables
from stratoplane_client.cli.groups import ProjectNoun
from stratoplane_client.cli.output import document
from stratoplane_client.cli.parameters import Limit
from stratoplane_client.cli.session import Session, any_project_id

if TYPE_CHECKING:
    from stratoplane_client.models.platform import QuotaLine, Quotas

_BAR = 10


@click.group("quota", cls=ProjectNoun)
def command() -> None:
    """Quota limits and usage."""


def _of_whom(function: Any) -> Any:
    by_project = click.option(
        "--of-project", metavar="ORG/PROJECT|ID", help="For operators: a project of any organization."
    )
    by_org = click.option("--org", metavar="NAME|ID", help="For operators: an organization as a whole.")
    return by_org(by_project(function))


@command.command("show")
@_of_whom
@click.pass_obj
def show(session: Session, org: str | None, of_project: str | None) -> None:
    """Show limits and usage of a project and its organization."""
    session.does("show quotas")
    limits = session.client.operator.quotas
    if org is not None:
        session.noun = "org"
        found = limits.of_organization(session.client.operator.organizations.find(org).id)
    elif of_project is not None:
        session.noun = "project"
        found = limits.of_project(any_project_id(session, of_project))
    else:
        found = session.client.quotas(session.project_id)
    _show(session, found)


@command.command("set")
@_of_whom
@click.argument("limits", metavar="KEY=LIMIT...", type=Limit(), nargs=-1, required=True)
@click.pass_obj
def set_limits(session: Session, org: str | None, of_project: str | None, limits: Any) -> None:
    """Set limits (operators), such as 'vcpus=100' or 'vcpus=unlimited'; other limits do not change."""
    if (org is None) == (of_project is None):
        raise click.UsageError("specify exactly one of --org and --of-project")
    session.does("set quotas")
    operator = session.client.operator
    if org is not None:
        session.noun = "org"
        found = operator.quotas.set_organization(operator.organizations.find(org).id, dict(limits))
    else:
        session.noun = "project"
        found = operator.quotas.set_project(any_project_id(session, str(of_project)), dict(limits))
    _show(session, found)


def _show(session: Session, found: "Quotas") -> None:
    if session.machine_readable:
        document(session, found.raw)
        return
    rows = [_row(owner, each) for owner in ("project", "organization") for each in getattr(found, owner)]
    if session.output == "name":
        click.echo("\n".join(dict.fromkeys(row[1] for row in rows)))
    else:
        click.echo(
            tables.table(("SCOPE", "QUOTA", "USED", "LIMIT", ""), rows, color=session.color), color=session.color
        )


def _row(owner: str, line: "QuotaLine") -> tuple[str, ...]:
    if line.limit < 0:
        return owner, line.key, str(line.used), "unlimited", ""
    filled = _BAR if line.limit == 0 else min(_BAR, ceil(_BAR * line.used / line.limit))
    return owner, line.key, str(line.used), str(line.limit), "#" * filled + "." * (_BAR - filled)
