# SPDX-License-Identifier: Apache-2.0
"""The rule of what one line may not hold stands in two distributions that import nothing of each other."""

from stratoplane import texts
from stratoplane_client.cli import tables


def test_a_terminal_is_shown_escaped_what_one_line_may_not_hold() -> None:
    assert tables._UNFIT.pattern == f"[{texts.NOT_IN_A_LINE}]"
