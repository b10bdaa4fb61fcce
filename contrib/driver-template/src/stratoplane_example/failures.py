# SPDX-License-Identifier: Apache-2.0
"""The one translation of the provider's errors into those of the contract.

The contract sorts errors by what the caller does next: ``TransientError`` when the call certainly had no effect,
``UncertainError`` when it may have had one, ``PermanentError`` when repeating cannot help.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from stratoplane.errors import CapacityError, DriverError, MisconfiguredError, UncertainError, UnreachableError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR})
_AWAY: Final = frozenset({errno.ENOENT, errno.ESTALE})


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise what the provider raises inside as an error of the contract.

    Args:
        what: what was tried, for people, as "create volume web-data".
    """
    try:
        yield
    except OSError as error:
        raise translate(error, what) from error


def translate(error: OSError, what: str) -> DriverError:
    """Return the contract's error for one of the provider's."""
    text = str(error)
    if error.errno in _FULL:
        return CapacityError(f"cannot {what}: the disk is full", provider_text=text)
    if error.errno in _REFUSED:
        return MisconfiguredError(f"cannot {what}: make the folder writable for the agent", provider_text=text)
    if error.errno in _AWAY:
        return UnreachableError(f"cannot {what}: the folder is not there", provider_text=text)
    return UncertainError(f"cannot {what}; it may have happened", provider_text=text)
