# SPDX-License-Identifier: Apache-2.0
"""A driver's access to the region."""

import logging
import threading
from collections.abc import Callable
from typing import Concatenate, Final, ParamSpec, TypeVar

from stratoplane.drivers import DriverContext
from stratoplane.errors import UnreachableError
from stratoplane_mock.ownership import Tenancy
from stratoplane_mock.region import FILE_NAME, MockRegion
from stratoplane_mock.rules import Call
from stratoplane_mock.settings import MockSettings
from stratoplane_mock.store import Transaction

_log: Final = logging.getLogger(__name__)
ResultT = TypeVar("ResultT")
ArgumentsT = ParamSpec("ArgumentsT")


class Session:
    """Opens the region when the driver is prepared, and makes each call on behalf of its installation."""

    def __init__(self, settings: MockSettings, context: DriverContext) -> None:
        self._context: Final = context
        self._settings: Final = settings
        self._tenancy: Final = Tenancy(installation=str(context.installation_id), settings=settings)
        self._region: MockRegion | None = None
        self._lock: Final = threading.Lock()

    def prepare(self) -> None:
        """Open the region once; MisconfiguredError when its file cannot be used."""
        with self._lock:
            if self._region is None:
                path = self._settings.region or self._context.state_folder / FILE_NAME
                self._region = MockRegion.open(path, self._settings)
                _log.warning(
                    "THE MOCK DRIVER SIMULATES A REGION AND RUNS NOTHING: NOT FOR PRODUCTION (region %s)", path
                )

    @property
    def region(self) -> MockRegion:
        """The open region. Raises UnreachableError before :meth:`prepare` has succeeded."""
        if self._region is None:
            raise UnreachableError("the mock region is not open yet: prepare() has not succeeded")
        return self._region

    def read(
        self,
        call: Call,
        work: Callable[Concatenate[Transaction, Tenancy, ArgumentsT], ResultT],
        *arguments: ArgumentsT.args,
        **named: ArgumentsT.kwargs,
    ) -> ResultT:
        """Answer a call that changes nothing; raises as :meth:`MockRegion.read`."""
        return self.region.read(call, lambda transaction: work(transaction, self._tenancy, *arguments, **named))

    def change(
        self,
        call: Call,
        work: Callable[Concatenate[Transaction, Tenancy, ArgumentsT], ResultT],
        *arguments: ArgumentsT.args,
        **named: ArgumentsT.kwargs,
    ) -> ResultT:
        """Answer a call that changes something; raises as :meth:`MockRegion.change`."""
        return self.region.change(call, lambda transaction: work(transaction, self._tenancy, *arguments, **named))
