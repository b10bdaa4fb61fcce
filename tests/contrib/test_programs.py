# SPDX-License-Identifier: Apache-2.0
"""A program that is missing is a failure that says what to install."""

import pytest

from tests.contrib.programs import require


def test_a_missing_program_is_named_with_its_debian_package() -> None:
    with pytest.raises(pytest.fail.Exception, match="on Debian: apt-get install its-package"):
        require("program-that-is-not-there", "its-package")
