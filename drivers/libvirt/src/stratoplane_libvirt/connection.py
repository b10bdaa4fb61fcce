# SPDX-License-Identifier: Apache-2.0
"""The connection to libvirt, and the translation of its errors into those of the contract."""

import contextlib
import functools
import logging
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final

import libvirt

from stratoplane.errors import (
    BusyError,
    CapacityError,
    ConflictError,
    DriverError,
    MisconfiguredError,
    NotFoundError,
    PermanentError,
    UncertainError,
    UnreachableError,
    UnsupportedError,
)

_log = logging.getLogger(__name__)

_KEEPALIVE_SECONDS: Final = 5
_KEEPALIVE_MISSES: Final = 4

_BY_CODE: Final[dict[int, type[DriverError]]] = {
    libvirt.VIR_ERR_NO_CONNECT: UnreachableError,
    libvirt.VIR_ERR_RPC: UnreachableError,
    libvirt.VIR_ERR_AUTH_FAILED: MisconfiguredError,
    libvirt.VIR_ERR_AUTH_CANCELLED: MisconfiguredError,
    libvirt.VIR_ERR_AUTH_UNAVAILABLE: MisconfiguredError,
    libvirt.VIR_ERR_ACCESS_DENIED: MisconfiguredError,
    libvirt.VIR_ERR_OPERATION_DENIED: MisconfiguredError,
    libvirt.VIR_ERR_NO_DOMAIN: NotFoundError,
    libvirt.VIR_ERR_NO_NETWORK: NotFoundError,
    libvirt.VIR_ERR_NO_STORAGE_POOL: NotFoundError,
    libvirt.VIR_ERR_NO_STORAGE_VOL: NotFoundError,
    libvirt.VIR_ERR_DOM_EXIST: ConflictError,
    libvirt.VIR_ERR_NETWORK_EXIST: ConflictError,
    libvirt.VIR_ERR_STORAGE_VOL_EXIST: ConflictError,
    libvirt.VIR_ERR_NO_SUPPORT: UnsupportedError,
    libvirt.VIR_ERR_OPERATION_UNSUPPORTED: UnsupportedError,
    libvirt.VIR_ERR_CONFIG_UNSUPPORTED: UnsupportedError,
    libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED: UnsupportedError,
    libvirt.VIR_ERR_OPERATION_TIMEOUT: BusyError,
    libvirt.VIR_ERR_RESOURCE_BUSY: BusyError,
    # The object changed its state between our reading and our call, so a repeated call acts on the new state.
    libvirt.VIR_ERR_OPERATION_INVALID: BusyError,
}

# libvirt has no error codes for these.
_BY_TEXT: Final[dict[str, type[DriverError]]] = {
    "No space left on device": CapacityError,
    "Cannot allocate memory": CapacityError,
    "has asynchronous jobs running": BusyError,
    "is still being allocated": BusyError,
    "already in use by interface": ConflictError,
    'Failed to get "write" lock': ConflictError,
}


def to_driver_error(error: libvirt.libvirtError, action: str, lost: type[DriverError]) -> DriverError:
    """Translate what libvirt raised during ``action``; ``lost`` is what a connection that broke during it means.

    An error from libvirt is a definite failure of that one call; only a broken connection leaves the result uncertain.
    """
    text = error.get_error_message() or str(error)
    if error.get_error_domain() == libvirt.VIR_FROM_RPC or "client socket is closed" in text:
        return lost(f"the connection to libvirt broke: {action}", provider_text=text)
    by_text = (kind for part, kind in _BY_TEXT.items() if part in text)
    kind = next(by_text, None) or _BY_CODE.get(error.get_error_code(), PermanentError)
    return kind(f"libvirt refused to {action}: {text}", provider_text=text)


class Connection:
    """A connection to one libvirt, opened when it is first needed and again after it broke.

    libvirt's own handle may be used by several threads at once.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._lock = threading.Lock()
        self._handle: Any = None

    @contextlib.contextmanager
    def reading(self, action: str) -> Iterator[Any]:
        """Provide the handle to a block that changes nothing; ``action`` completes "libvirt refused to".

        Raises:
            UnreachableError: libvirt does not answer.
            DriverError: libvirt refused, by its kind.
        """
        handle = self._open()
        try:
            yield handle
        except libvirt.libvirtError as error:
            raise to_driver_error(error, action, UnreachableError) from error

    @contextlib.contextmanager
    def changing(self, action: str) -> Iterator[Any]:
        """Provide the handle to a block that changes something.

        Raises:
            UnreachableError: no connection could be made, so nothing happened.
            UncertainError: the connection broke in the middle; the change may have happened.
            DriverError: libvirt refused, by its kind.
        """
        handle = self._open()
        try:
            yield handle
        except libvirt.libvirtError as error:
            raise to_driver_error(error, action, UncertainError) from error

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        with self._lock:
            self._drop()

    def _open(self) -> Any:
        with self._lock:
            if self._handle is None or not self._handle.isAlive():
                self._drop()
                self._handle = self._connect()
            return self._handle

    def _connect(self) -> Any:
        _start_event_loop()
        try:
            handle = libvirt.open(self._uri)
            self._keep_alive(handle)
        except libvirt.libvirtError as error:
            raise to_connect_error(error, self._uri) from error
        _log.info("libvirt_connected uri=%s", self._uri)
        return handle

    def _keep_alive(self, handle: Any) -> None:
        """Enable keepalive messages, without which a dead peer would block a call for ever."""
        try:
            handle.setKeepAlive(_KEEPALIVE_SECONDS, _KEEPALIVE_MISSES)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:
                raise

    def _drop(self) -> None:
        if self._handle is not None:
            with contextlib.suppress(libvirt.libvirtError):
                self._handle.close()
        self._handle = None


class tolerating:  # noqa: N801  # read like contextlib.suppress
    """Suppress libvirt errors with these codes: the object is already in the requested state."""

    def __init__(self, *codes: int) -> None:
        self._codes = codes

    def __enter__(self) -> None:
        return

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        return isinstance(error, libvirt.libvirtError) and error.get_error_code() in self._codes


def to_connect_error(error: libvirt.libvirtError, uri: str) -> DriverError:
    """Translate a failure to connect: wrong credentials need an operator, everything else is retried."""
    translated = to_driver_error(error, f"connect to {uri}", UnreachableError)
    if isinstance(translated, MisconfiguredError):
        return translated
    text = translated.provider_text
    return UnreachableError(f"no connection to libvirt at {uri}: {text}", provider_text=text)


@functools.cache
def _start_event_loop() -> None:
    """Run libvirt's event loop in a thread, once per process: it handles keepalive answers.

    libvirt prints every error to standard error unless a handler is set; all of ours become exceptions.
    """
    libvirt.registerErrorHandler(_discard_message, None)
    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=_run_events, name="libvirt-events", daemon=True).start()


def _discard_message(_context: object, _error: object) -> None:
    return


def _run_events() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()
