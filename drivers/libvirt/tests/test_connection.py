# SPDX-License-Identifier: Apache-2.0
import pytest

libvirt = pytest.importorskip("libvirt", reason="libvirt-python is not installed")

from stratoplane import errors  # noqa: E402  # libvirt may be missing
from stratoplane_libvirt.connection import Connection, to_driver_error, tolerating  # noqa: E402


def refusal(code, message="no", domain=libvirt.VIR_FROM_QEMU):
    error = libvirt.libvirtError(message)
    error.err = (code, domain, message, libvirt.VIR_ERR_ERROR, None, None, None, -1, -1)
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refusal(libvirt.VIR_ERR_NO_DOMAIN), errors.NotFoundError),
        (refusal(libvirt.VIR_ERR_DOM_EXIST), errors.ConflictError),
        (refusal(libvirt.VIR_ERR_OPERATION_TIMEOUT, "cannot acquire state change lock"), errors.BusyError),
        (refusal(libvirt.VIR_ERR_OPERATION_INVALID, "domain is already running"), errors.BusyError),
        (refusal(libvirt.VIR_ERR_OPERATION_UNSUPPORTED), errors.UnsupportedError),
        (refusal(libvirt.VIR_ERR_AUTH_FAILED), errors.MisconfiguredError),
        (refusal(libvirt.VIR_ERR_INTERNAL_ERROR, "write: No space left on device"), errors.CapacityError),
        (refusal(libvirt.VIR_ERR_INTERNAL_ERROR, "qemu: Cannot allocate memory"), errors.CapacityError),
        (refusal(libvirt.VIR_ERR_INTERNAL_ERROR, "pool 'x' has asynchronous jobs running."), errors.BusyError),
        (refusal(libvirt.VIR_ERR_INTERNAL_ERROR, "process exited while connecting"), errors.PermanentError),
        (refusal(libvirt.VIR_ERR_XML_ERROR), errors.PermanentError),
        (refusal(libvirt.VIR_ERR_SYSTEM_ERROR, "End of file", libvirt.VIR_FROM_RPC), errors.UncertainError),
        (refusal(libvirt.VIR_ERR_INTERNAL_ERROR, "client socket is closed"), errors.UncertainError),
        (libvirt.libvirtError("without a cause"), errors.PermanentError),
    ],
)
def test_errors_are_sorted_by_what_the_caller_does_next(error, expected):
    translated = to_driver_error(error, "try", errors.UncertainError)
    assert type(translated) is expected
    assert translated.provider_text


def test_what_libvirt_says_travels_whole():
    with pytest.raises(errors.NotFoundError) as caught, Connection("test:///default").reading("find it") as host:
        host.lookupByName("absent")
    assert "Domain not found" in caught.value.provider_text
    assert isinstance(caught.value.__cause__, libvirt.libvirtError)


@pytest.mark.parametrize("uri", ["qemu+unix:///system?socket=/nonexistent/libvirt-sock", "nosuch:///system"])
def test_no_libvirt_is_unreachable_and_nothing_happened(uri):
    connection = Connection(uri)
    for block in (connection.reading, connection.changing):
        with pytest.raises(errors.UnreachableError), block("look"):
            pytest.fail("there is no libvirt to look at")


def test_a_closed_connection_is_opened_again():
    connection = Connection("test:///default")
    with connection.reading("look") as host:
        assert host.numOfDomains() == 1
    connection.close()
    with connection.reading("look") as host:
        assert host.numOfDomains() == 1


def test_our_own_errors_pass_through():
    with pytest.raises(errors.ConflictError, match="ours"), Connection("test:///default").changing("change"):
        raise errors.ConflictError("ours")


def test_only_the_named_errors_are_tolerated():
    with tolerating(libvirt.VIR_ERR_NO_DOMAIN):
        raise refusal(libvirt.VIR_ERR_NO_DOMAIN)
    with pytest.raises(libvirt.libvirtError), tolerating(libvirt.VIR_ERR_NO_DOMAIN):
        raise refusal(libvirt.VIR_ERR_NO_NETWORK)
    with pytest.raises(KeyError), tolerating(libvirt.VIR_ERR_NO_DOMAIN):
        raise KeyError


def test_errors_are_not_printed(capfd):
    with pytest.raises(errors.NotFoundError), Connection("test:///default").reading("look") as host:
        host.lookupByName("absent")
    assert capfd.readouterr() == ("", "")
