# SPDX-License-Identifier: Apache-2.0
"""The one translation of the provider's errors into those of the contract.

The contract sorts errors by what the caller does next: ``TransientError`` when the call certainly had no effect,
``UncertainError`` when it may have had one, ``PermanentError`` when repeating cannot help.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from stratoplane.errors import PermanentError, TransientError, UncertainError, UnreachableError
from stratoplane_balancer.provider import MaintenanceError, PortForbiddenError


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise what the provider raises inside as an error of the contract.

    Args:
        what: what was tried, for people, as "create load balancer front".
    """
    try:
        yield
    except MaintenanceError as error:
        raise TransientError(f"cannot {what}: the provider is being maintained", provider_text=str(error)) from error
    except PortForbiddenError as error:
        raise PermanentError(f"cannot {what}: choose another port", provider_text=str(error)) from error
    except FileNotFoundError as error:
        raise UnreachableError(f"cannot {what}: the folder is not there", provider_text=str(error)) from error
    except OSError as error:
        raise UncertainError(f"cannot {what}; it may have happened", provider_text=str(error)) from error
