# SPDX-License-Identifier: Apache-2.0
"""What an operator can choose for the driver."""

from dataclasses import dataclass
from pathlib import Path

from stratoplane.settings import setting


@dataclass(frozen=True, kw_only=True)
class ExampleSettings:
    """Settings of the example driver; the table ``[driver.example]`` of the agent's configuration."""

    folder: Path = setting(  # noqa: RUF009  # makes a dataclass field
        Path("/var/lib/stratoplane-example"),
        help="folder that holds one file for each volume",
        env="STRATOPLANE_EXAMPLE_FOLDER",
    )
