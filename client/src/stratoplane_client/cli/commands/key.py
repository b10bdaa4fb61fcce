# SPDX-License-Identifier: Apache-2.0
"""``stratoplane key``."""

from typing import Any

import click

from stratoplane_client.cli.changing import ChangeMode, carry_out, change_options
from stratoplane_client.cli.kinds import KEYS
from stratoplane_client.cli.parameters import file_text, label_option
from stratoplane_client.cli.session import Session
from stratoplane_client.cli.verbs import KindCommand

_USUAL = ("id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub")


command = KindCommand(KEYS, summary="SSH public keys for access to virtual machines.", has_jobs=False)


@command.command("create")
@click.argument("name")
@click.option(
    "--public-key", metavar="FILE", help="File with the key, - for standard input; by default one of ~/.ssh/id_*.pub."
)
@label_option
@change_options
@click.pass_obj
def create(session: Session, /, name: str, mode: ChangeMode, public_key: str | None, labels: Any) -> None:
    """Upload a public key; the private key stays on your machine."""
    text = (file_text(public_key or _usual_key()) or "").strip()
    if "PRIVATE KEY" in text:
        raise click.UsageError(f"{public_key} is a private key; use the file that ends in .pub")
    carry_out(
        session,
        KEYS,
        "create",
        name,
        mode,
        lambda calls: calls.create(name=name, public_key=text, labels=dict(labels)),
    )


def _usual_key() -> str:
    from pathlib import Path

    folder = Path.home() / ".ssh"
    found = next((folder / name for name in _USUAL if (folder / name).is_file()), None)
    if found is None:
        raise click.UsageError(f"there is no public key in {folder}; name a file with --public-key")
    return str(found)
