# SPDX-License-Identifier: Apache-2.0
"""Starting and stopping machines: by a request to the guest first, then by force."""

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
    """Start the machine, and let libvirt start it again after a restart of the host."""
    _forget_request(domain, mark)
    if not domain.isActive():
        domain.createWithFlags(0)
    domain.setAutostart(1)


def stop(domain: Any, mark: Mark, grace_seconds: float) -> Wait | None:
    """Ask the guest to shut down; power it off if it has not within ``grace_seconds`` of the first request.

    The time of the first request is stored with the domain, so that the grace period also ends if this process does
    not survive it. The request is repeated each time, since a guest that is still booting ignores it.
    """
    domain.setAutostart(0)
    if not domain.isActive():
        _forget_request(domain, mark)
        return None
    now = time.time()
    if not mark.stop_requested:
        save_mark(domain, dataclasses.replace(mark, stop_requested=now))
    elif now - mark.stop_requested >= grace_seconds:
        power_off(domain)
        _forget_request(domain, mark)
        return None
    _ask_to_shut_down(domain)
    return Wait(seconds=_LOOK_AGAIN_SECONDS, reason="the guest is shutting down")


def power_off(domain: Any) -> None:
    """Power off the machine; one that is already off is not an error."""
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
