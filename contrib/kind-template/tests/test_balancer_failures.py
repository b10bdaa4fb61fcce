# SPDX-License-Identifier: Apache-2.0
"""Which error of the provider becomes which of the contract."""

import errno

import pytest
from stratoplane_balancer.failures import translated
from stratoplane_balancer.provider import MaintenanceError, PortForbiddenError

from stratoplane.errors import DriverError, PermanentError, TransientError, UncertainError, UnreachableError


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (MaintenanceError("503"), TransientError),
        (PortForbiddenError("port 25"), PermanentError),
        (OSError(errno.ENOENT, "gone"), UnreachableError),
        (OSError(errno.EIO, "broken"), UncertainError),
    ],
)
def test_an_error_is_sorted_by_what_the_caller_does_next(raised: Exception, expected: type[DriverError]) -> None:
    with pytest.raises(expected, match="load balancer front") as caught, translated("create load balancer front"):
        raise raised

    assert caught.value.provider_text == str(raised)
