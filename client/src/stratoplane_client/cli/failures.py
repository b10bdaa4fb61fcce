# SPDX-License-Identifier: Apache-2.0
"""Errors as an exit code and one line: what happened, to what, and what to do next."""

import os
from collections.abc import Sequence
from enum import IntEnum

import click

from stratoplane_client import errors as e
from stratoplane_client.cli.session import NoContextError, Session
from stratoplane_client.job_errors import JobFailedError, WaitTimeoutError


class Exit(IntEnum):
    """What the command's exit code says."""

    OK = 0
    FAILED = 1
    """A job failed, or the server refused for a reason without a code of its own."""
    USAGE = 2
    """The command line, the configuration or what the request says is invalid."""
    DENIED = 3
    """Not logged in, or not allowed."""
    NOT_FOUND = 4
    CONFLICT = 5
    """The current state forbids it, or it changed in the meantime."""
    QUOTA = 6
    UNREACHABLE = 7
    TIMED_OUT = 8
    """The wait timed out; the job continues."""
    REFUSED = 9
    """A policy of the installation refuses it."""
    INTERRUPTED = 130


_CODES: tuple[tuple[type[Exception], Exit], ...] = (
    (e.QuotaFullError, Exit.QUOTA),
    (e.PolicyError, Exit.REFUSED),
    (e.InvalidRequestError, Exit.USAGE),
    (NoContextError, Exit.DENIED),
    (e.NotAuthenticatedError, Exit.DENIED),
    (e.AccessDeniedError, Exit.DENIED),
    (e.NotFoundError, Exit.NOT_FOUND),
    (e.NameUnknownError, Exit.NOT_FOUND),
    (e.ConflictError, Exit.CONFLICT),
    (e.ExistsOtherwiseError, Exit.CONFLICT),
    (e.ConnectionFailedError, Exit.UNREACHABLE),
    (WaitTimeoutError, Exit.TIMED_OUT),
    (e.NameAmbiguousError, Exit.USAGE),
    (e.InvalidSettingError, Exit.USAGE),
)
# Of 503 these say that a part of the platform is away; others, such as no room, are answers.
_AWAY = frozenset({"service_unavailable", "http_502", "http_503", "http_504"})


_ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (e.QuotaFullError, "'stratoplane quota show' shows limits and usage."),
    (e.AccessDeniedError, "'stratoplane me' shows what you may do."),
    (e.VersionConflictError, "It was changed in the meantime; check it and try again."),
    (
        e.ConnectionFailedError,
        "Check that the server is running and that 'stratoplane context show' has the right URL.",
    ),
)


def run(root: click.Group, arguments: Sequence[str]) -> int:
    """Run ``root`` with ``arguments`` and return the exit code; every failure is one line on standard error."""
    session = Session()
    try:
        returned = root.main(list(arguments), prog_name="stratoplane", obj=session, standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        say(session.interrupted)
        return Exit.INTERRUPTED
    except click.UsageError as error:
        say(usage(error))
        return Exit.USAGE
    except click.ClickException as error:
        say(f"Error: {error.format_message()}")
        return Exit.USAGE
    except e.ClientError as error:
        return report(session, error)
    return returned if isinstance(returned, int) else Exit.OK


def report(session: Session, error: e.ClientError) -> Exit:
    """Show ``error`` in one line and return the exit code that it calls for."""
    say(describe(session, error))
    return exit_code(error)


def exit_code(error: e.ClientError) -> Exit:
    """Return the exit code for ``error``."""
    if isinstance(error, e.UnavailableError) and error.code in _AWAY:
        return Exit.UNREACHABLE
    return next((code for kind, code in _CODES if isinstance(error, kind)), Exit.FAILED)


def describe(session: Session, error: e.ClientError) -> str:
    """Return one line: what failed, why, what to do next; with ``-v`` also the request id."""
    doing = f"cannot {session.doing}: " if session.doing else ""
    text = " ".join(str(error).split()).rstrip(".")
    line = f"Error: {doing}{text}."
    advice = next_step(session, error)
    if advice:
        line += f" {advice}"
    if session.verbose and isinstance(error, e.ApiError):
        line += f" [{error.status} {error.code}, request {error.request_id or '-'}, trace {error.trace_id or '-'}]"
    return line


def next_step(session: Session, error: e.ClientError) -> str:
    """Return advice that the error's own text does not give."""
    if isinstance(error, e.NameUnknownError | e.NotFoundError) and not isinstance(error, e.DeletedError):
        return f"'stratoplane {session.noun} list' shows what exists." if session.noun else ""
    if isinstance(error, e.NotAuthenticatedError):
        # Who is just logging in need not be told to.
        return "" if session.doing.startswith("log in") else "Log in with 'stratoplane login'."
    if isinstance(error, WaitTimeoutError):
        return f"The job continues; wait for it with 'stratoplane job wait {error.job.id}'."
    if isinstance(error, JobFailedError):
        return f"'stratoplane job show {error.job.id}' shows every step."
    if isinstance(error, e.ServerError) and error.code == "internal_error" and not session.verbose:
        return f"The request id is {error.request_id}." if error.request_id else ""
    return next((advice for kind, advice in _ADVICE if isinstance(error, kind)), "")


def usage(error: click.UsageError) -> str:
    """Return one line for a command line that cannot be understood."""
    where = error.ctx.command_path if error.ctx is not None else "stratoplane"
    return f"Error: {ended(' '.join(error.format_message().split()))} See '{where} --help'."


def ended(text: str) -> str:
    """Return a sentence with a full stop, unless it has an end already."""
    return text if text.endswith(("?", ".")) else f"{text}."


def say(line: str) -> None:
    """Write a line to standard error; red on a terminal if it is an error."""
    if line:
        from stratoplane_client.cli.tables import plain

        line = plain(line)
        shown = click.style("Error:", fg="red", bold=True) + line[6:] if line.startswith("Error:") else line
        click.echo(shown, err=True, color=None if "NO_COLOR" not in os.environ else False)
