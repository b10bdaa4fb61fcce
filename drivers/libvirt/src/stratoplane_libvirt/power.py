# SPDX-License-Identifier: Apache-2.0
"""Turning machines on and off: first politely, then not."""

import dataclasses
import time
from typing import Any, Final

import libvirt

from stratoplane.jobs import Wait
from stratoplane_libvirt.connection import tolerating
from stratoplane_libvirt.domains import save_mark
from stratoplane_libvirt.marks import Mark

_LOOK_AGAIN_SECONDS: Final = 1.0


def start(domain: Any, mark: Mark) -> None:
    """Run the machine, and have libvirt run it again after the host's restart."""
    _forget_request(domain, mark)
    if not domain.isActive():
        domain.createWithFlags(0)
    domain.setAutostart(1)


def stop(domain: Any, mark: Mark, grace_seconds: float) -> Wait | None:
    """Ask the guest to shut down; cut it off when it did not within ``grace_seconds`` of the first request.

    When it was asked first is noted with the domain, so that the grace also ends if this process does not live to
    see it. The request is repeated each time, for a guest that was still booting does not hear it.
    """
    domain.setAutostart(0)
    if not domain.isActive():
        _forget_request(domain, mark)
        return None
    now = time.time()
    if not mark.stop_requested:
        save_mark(domain, dataclasses.replace(mark, stop_requested=now))
    elif now - mark.stop_requested >= grace_seconds:
        cut_off(domain)
        _forget_request(domain, mark)
        return None
    _ask_to_shut_down(domain)
    return Wait(seconds=_LOOK_AGAIN_SECONDS, reason="the guest is shutting down")


def cut_off(domain: Any) -> None:
    """End the machine at once; one that is off already is no error."""
    with tolerating(libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN):
        domain.destroyFlags(0)


def restart(domain: Any) -> None:
    """Ask the guest to restart; reset the machine if it cannot be asked."""
    try:
        domain.reboot(0)
    except libvirt.libvirtError as error:
        if error.get_error_code() not in (libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_OPERATION_UNSUPPORTED):
            raise
        domain.reset(0)


def _forget_request(domain: Any, mark: Mark) -> None:
    if mark.stop_requested:
        save_mark(domain, dataclasses.replace(mark, stop_requested=0.0))


def _ask_to_shut_down(domain: Any) -> None:
    with tolerating(libvirt.VIR_ERR_OPERATION_INVALID):
        domain.shutdownFlags(0)
