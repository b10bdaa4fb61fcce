# SPDX-License-Identifier: Apache-2.0
"""Which error of the provider becomes which of the contract."""

import errno
import os

import pytest

from stratoplane.errors import CapacityError, DriverError, MisconfiguredError, UncertainError, UnreachableError
from stratoplane_example.failures import translated


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, CapacityError),
        (errno.EROFS, MisconfiguredError),
        (errno.ESTALE, UnreachableError),
        (errno.EIO, UncertainError),
    ],
)
def test_an_error_is_sorted_by_what_the_caller_does_next(number: int, expected: type[DriverError]) -> None:
    with pytest.raises(expected) as caught, translated("create volume web-data"):
        raise OSError(number, os.strerror(number))

    assert caught.value.provider_text == f"[Errno {number}] {os.strerror(number)}"
